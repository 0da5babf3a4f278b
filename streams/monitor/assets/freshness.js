// Pure: what a page may say of numbers that it got from a server which may be gone. Times in ms, clocks never compared:
// the server tells how old its numbers are, the page adds how long ago that was.
export const LOST_AFTER_MS = 6000;
export const OLD_AFTER_MS = 10000;

export const START = { beat: null, heardAt: null };

export function heard(state, beat, now) {
  return { beat, heardAt: now };
}

// health: the word to show; lost: how long nobody spoke, 0 while somebody does; ages of what was read, null when never.
export function judged(state, now, openedAt) {
  const silent = now - (state.heardAt ?? openedAt);
  const lost = silent > LOST_AFTER_MS ? silent : 0;
  const beat = state.beat;
  const age = (asOf) => (beat === null || asOf === null ? null : Math.max(0, beat.now - asOf) + silent);
  return {
    lost,
    health: lost ? "blind" : beat === null ? null : beat.health.state,
    headline: lost ? `Blind: no word from the monitor for ${clock(lost)}` : beat === null ? null : beat.health.headline,
    ages: { lag: age(beat?.lag_as_of ?? null), outcomes: age(beat?.outcomes_as_of ?? null) },
  };
}

export function isOld(age) {
  return age !== null && age > OLD_AFTER_MS;
}

export function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}
