"""Made-up calls that look like AiRudder's, for `send` and `simulate`. Pure: the caller passes randomness and time.

Numbers are from ranges reserved for fiction: Ofcom's +44 7700 900000-900999 and +44 20 7946 0000-0999, and North
America's 555-0100 to 555-0199.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple

BAD_SPELL_S: Final = 300  # how long the bad line stays bad
BAD_SPELL_EVERY_S: Final = 1500  # and how often that begins
MAX_REDIALS: Final = 3

_TIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S"


class Question(NamedTuple):
    """One question of a script; `answers` are pairs of answer and transcript."""

    name: str
    content: str
    kind: str
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Workflow:
    """One script, its SIP lines, and the share of its calls that are answered."""

    id: str
    name: str
    robot_hash: str
    lines: tuple[str, ...]
    questions: tuple[Question, ...]
    answer_rate: float


_YES_NO: Final = (("Yes", "yes"), ("No", "no"))

WORKFLOWS: Final = (
    Workflow(
        "5b1f0a6c29e84d7f9c3e5d2b9a2c2e01",
        "Verifikasi Data Jakarta",
        "a37e555f1be24c5eca7ac3575d8e0c11",
        ("ID_JKT_LINE_1", "ID_JKT_LINE_2"),
        (
            Question("Q0", "Bersedia melanjutkan? Willingness Check", "whether", (("Yes", "iya"), ("No", "tidak"))),
            Question("Q1", "Konfirmasi nama NameCheck", "whether", _YES_NO),
            Question("Q2", "Tanggal lahir DoB Verification", "open", (("1101", "satu satu nol satu"),)),
        ),
        0.55,
    ),
    Workflow(
        "8e364f6729e1a44f80b75c2d9b2a2c22",
        "Verificación CURP México",
        "b81c2d3e4f5a6071829304a5b6c7d8e9",
        ("MX_CDMX_LINE_1", "MX_CDMX_LINE_2", "MX_MTY_LINE_1"),
        (
            Question("Q0", "意愿确认 Willingness Check", "whether", (("Yes", "sí, claro"), ("No", "no, gracias"))),
            Question("Q1", "¿Hablo con el titular? NameCheck", "whether", (("Yes", "sí"), ("No", "número equivocado"))),
            Question("Q3", "CURP核验 CURP Verification", "open", (("200", "dos cero cero"), ("/", "¿cómo?"))),
        ),
        0.42,
    ),
    Workflow(
        "c0d1e2f3a4b5968778695a4b3c2d1e03",
        "ตรวจสอบข้อมูล Bangkok",
        "c92d3e4f5a6b7182930415263748596a",
        ("TH_BKK_LINE_1", "MX_MTY_LINE_1"),
        (
            Question("Q0", "ยืนยันความสมัครใจ Willingness Check", "whether", (("Yes", "ครับ"), ("No", "ไม่"))),
            Question("Q1", "ยืนยันชื่อ NameCheck", "whether", (("Yes", "ใช่ค่ะ"), ("No", "ไม่ใช่"))),
            Question("Q4", "生日核验 DoB Verification 🎂", "open", (("0523", "ยี่สิบสาม พฤษภาคม"),)),
        ),
        0.61,
    ),
)
BAD_LINE: Final = "MX_MTY_LINE_1"

# ring_type, seconds of ringing, hangup_type, result_label of an unanswered dial
_UNANSWERED: Final[tuple[tuple[str, tuple[int, int], str, str], ...]] = (
    ("normal", (18, 45), "Canceled", "NO ANSWER"),
    ("normal", (4, 14), "ByCallee", "DECLINED"),
    ("busy", (0, 3), "Canceled", "BUSY"),
    ("switchoff", (0, 2), "Canceled", "POWER OFF"),
    ("outofarea", (0, 2), "Canceled", "OUT OF AREA"),
    ("unregister", (0, 1), "Canceled", "INVALID"),
    ("wrongnum", (0, 1), "Canceled", "INVALID"),
)
_NEVER_RANG: Final = ("normal", (0, 0), "ByCallee", "DECLINED")


class Traffic:
    """An endless supply of deliveries; the same seed gives the same calls at the same times."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._detail_id = random.randrange(2_000_000_000, 2_100_000_000)
        self._bad_phase_s = random.randrange(BAD_SPELL_EVERY_S)

    def delivery(self, now: datetime) -> dict[str, Any]:
        """One callback as the provider sends it; `now`, in the account's time zone, is when the call ended."""
        workflow = self._random.choices(WORKFLOWS, weights=(5, 4, 3))[0]
        line = self._random.choice(workflow.lines)
        return {
            "workflow_id": workflow.id,
            "workflow_name": workflow.name,
            "nodetask_id": f"node{workflow.id[:24]}",
            "nodetask_name": "Voicebot Call1",
            "task_id": f"task{workflow.id[4:28]}",
            "task_name": f"{workflow.name} Voicebot Call1",
            "status": "calling",
            "created_at": _text(now.replace(hour=0, minute=0, second=0)),
            "repeat_interval": 0,
            "repeat_number": MAX_REDIALS,
            "robot_hash": workflow.robot_hash,
            "robot_method": "single",
            "sip_line": line,
            "schedule_start_time": _text(now.replace(hour=0, minute=0, second=0)),
            "schedule_end_time": _text(now.replace(hour=23, minute=59, second=59)),
            "details": [self._detail(workflow, line, now)],
        }

    def _detail(self, workflow: Workflow, line: str, now: datetime) -> dict[str, Any]:
        is_bad = line == BAD_LINE and self._is_bad_spell(now)
        redials = self._random.choices(range(MAX_REDIALS + 1), weights=(70, 15, 9, 6))[0]
        callee, caller = self._mobile(), self._landline()
        is_answered = not is_bad and self._random.random() < workflow.answer_rate
        dial = self._answered() if is_answered else self._unanswered(is_bad)
        started = now - timedelta(seconds=dial["ring_time"] + dial["duration"])
        self._detail_id += self._random.randint(1, 9)
        return {
            "id": self._detail_id,
            "callee": callee,
            "result": "finished",
            "question_answer": self._questions(workflow, dial["talk_round"]),
            "NerSlots": {"PaymentMethod": "Transfer"} if is_answered and self._random.random() < 0.3 else {},
            "robot_hash": workflow.robot_hash,
            "call_id": self._call_id(),
            "call_times": redials + 1,
            "call_start_time": _text(started),
            "call_end_time": _text(now),
            "redail_call": [self._redial(started, n, callee, caller, is_bad) for n in range(redials, 0, -1)],
            "intention_description": "Confirmed" if is_answered else "No Answer",
            "EventLabel": {"Correct_Person": "identity_correct_person"} if dial["talk_round"] > 2 else {},
            "caller_number": caller,
            "CaseID": f"case-{self._detail_id}",
            "Variables": {"name": self._random.choice(("lyn", "Siti", "José", "สมชาย")), "DoB": "1101", "CURP": "200"},
            **dial,
        }

    def _redial(self, started: datetime, back: int, callee: str, caller: str, is_bad: bool) -> dict[str, Any]:
        dial = self._unanswered(is_bad)
        return {
            "call_id": self._call_id(),
            "call_start_time": _text(started - timedelta(seconds=55 * back)),
            **{name: dial[name] for name in ("ring_type", "ring_time", "hangup_type", "result_label")},
            "callee_number": callee,
            "caller_number": caller,
        }

    def _answered(self) -> dict[str, Any]:
        talk_round = self._random.choices((0, 1, 2, 4, 6), weights=(1, 1, 2, 4, 4))[0]
        return {
            "result_label": self._random.choice("ABE"),
            "duration": 3 + talk_round * self._random.randint(6, 14),
            "hangup_type": self._random.choices(("ByRobot", "ByCallee"), weights=(2, 1))[0],
            "ring_type": "normal",
            "ring_time": self._random.randint(2, 20),
            "talk_round": talk_round,
        }

    def _unanswered(self, is_bad: bool) -> dict[str, Any]:
        usual = self._random.choices(_UNANSWERED, weights=(40, 10, 15, 12, 10, 5, 8))[0]
        ring_type, seconds, hangup_type, label = _NEVER_RANG if is_bad else usual
        return {
            "result_label": label,
            "duration": 0,
            "hangup_type": hangup_type,
            "ring_type": ring_type,
            "ring_time": self._random.randint(*seconds),
            "talk_round": 0,
        }

    def _questions(self, workflow: Workflow, talk_round: int) -> list[dict[str, str]]:
        """The script; questions the conversation did not reach are skipped."""
        reached = talk_round // 2 + (1 if talk_round else 0)
        return [self._question(question, n < reached) for n, question in enumerate(workflow.questions)]

    def _question(self, question: Question, is_reached: bool) -> dict[str, str]:
        answer, transcript = self._random.choice(question.answers) if is_reached else ("/", "")
        is_open = question.kind == "open"
        return {
            "question_name": question.name,
            "answer": answer,
            "answer_text": transcript,
            "status": "Completed" if is_reached else "Skip",
            "answer_text_slot": "/" if is_open else "-",
            "var": "200" if is_open else "-",
            "verification_results": ("Match" if is_reached else "/") if is_open else "-",
            "question_content": escape_twice(question.content),
            "question_type": question.kind,
            "whether_answer": answer if is_reached and not is_open else "Skip",
        }

    def _is_bad_spell(self, now: datetime) -> bool:
        return (now.timestamp() + self._bad_phase_s) % BAD_SPELL_EVERY_S < BAD_SPELL_S

    def _call_id(self) -> str:
        return f"ic{self._random.getrandbits(112):028x}"

    def _mobile(self) -> str:
        return self._random.choice(
            (f"+447700900{self._random.randrange(1000):03}", f"+1212555{self._random.randrange(100, 200):04}")
        )

    def _landline(self) -> str:
        return f"+44207946{self._random.randrange(1000):04}"


def escape_twice(text: str) -> str:
    """Non-ASCII as the literal characters `\\uXXXX`, the way the provider's question_content comes."""
    units = text.encode("utf-16-be")
    codes = [int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2)]
    return "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)


def _text(instant: datetime) -> str:
    return instant.strftime(_TIME_FORMAT)
