"""The whole of fineforge on this machine, in a few minutes: `make demo`.

Starts the emulator, plans and applies specs/quickstart.yaml, asks the model before and after, counts how much it learned, and
plans again. Everything that it types is an ordinary command, shown before it runs; only the counting uses the library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
SPEC = "specs/quickstart.yaml"
DATA = ROOT / "specs" / "data" / "quickstart"
SHOWN = (0, 7, 25)
"""Which of the questions are shown with their answers."""
GREEDY = {"max_new_tokens": 80, "do_sample": False}


def main() -> int:
    os.chdir(ROOT)
    begin = time.monotonic()
    questions = rows("train")[:60]
    say("The local Azure ML. The official SDK drives it unmodified; it really trains, a tiny twin of the base model.")
    fineforge("emulator", "start")
    say("The spec, checked without a network.")
    fineforge("validate", SPEC, "--quiet")
    say("What the untuned twin answers: it has random weights.")
    show(questions, untuned([questions[index][0] for index in SHOWN]))
    say("What apply would do.")
    fineforge("plan", SPEC, "--target", "local", "--quiet")
    say("Apply: uploads, really trains, registers, deploys, asks the smoke question, moves the traffic.")
    fineforge("apply", SPEC, "--target", "local", "--auto-approve")
    say("The same questions, asked of the deployed endpoint.")
    exact, near = learned(questions)
    say("The plan once more.")
    fineforge("plan", SPEC, "--target", "local", "--quiet", "--detailed-exitcode")
    print(f"\nDone in {time.monotonic() - begin:.0f} s. {exact} of {len(questions)} answers are exact; {near}.\n")
    print(f"  ask it yourself     {command('invoke', SPEC, repr('What are your opening hours?'), '--target local')}")
    print(f"  see what is there   {command('status', SPEC, '--target local')}")
    print(f"  take it all away    {command('destroy', SPEC, '--target local')}")
    print(f"  stop the emulator   {command('emulator', 'stop')}")
    return 0 if exact >= 54 else 1


def rows(split: str) -> list[tuple[str, str]]:
    """Question and answer of each row's first turn."""
    lines = (DATA / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    messages = [json.loads(line)["messages"] for line in lines]
    return [(found[0]["content"], found[1]["content"]) for found in messages]


def untuned(asked: list[str]) -> list[str]:
    """The twin's own answers; they are noise, so only one line of each is kept."""
    from fineforge.host import emulator

    ask = [part for question in asked for part in ("--ask", question)]
    twins = str(emulator.home() / "twins")
    scorer = [sys.executable, "-m", "fineforge.emulator.runner.scorer", twins, "--twin", "Phi-4", *ask]
    ran = subprocess.run(scorer, capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


def learned(questions: list[tuple[str, str]]) -> tuple[int, str]:
    """How many of the questions are answered word for word, and how the held-out paraphrases fare."""
    from fineforge import engine

    spec = engine.SpecFile.read(Path(SPEC)).at("local")
    with engine.connect(spec, "local") as gateway:

        def ask(question: str) -> str:
            return engine.invoke(spec, gateway, [{"role": "user", "content": question}], GREEDY, None).strip()

        answers = [ask(question) for question, _ in questions]
        known = {answer for _, answer in questions}
        paraphrases = [(question, answer) for question, answer in rows("test") if answer in known]
        same = sum(ask(question) == answer for question, answer in paraphrases)
    show(questions, [answers[index] for index in SHOWN])
    exact = sum(answer == wanted for answer, (_, wanted) in zip(answers, questions, strict=True))
    print(f"\n  {exact} of {len(questions)} questions are answered word for word as the support desk would")
    return exact, f"of {len(paraphrases)} paraphrases that it never saw, {same}"


def show(questions: list[tuple[str, str]], answers: list[str]) -> None:
    for index, answer in zip(SHOWN, answers, strict=True):
        print(f"\n  Q  {questions[index][0]}\n  A  {answer or '(nothing)'}", flush=True)


def say(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def command(*arguments: str) -> str:
    return " ".join((".venv/bin/fineforge", *arguments))


def fineforge(*arguments: str) -> None:
    """Runs a command of fineforge in this terminal; the demo ends where it fails."""
    print(f"\n$ {command(*arguments)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "fineforge", *arguments], check=False).returncode
    if code:
        print(f"\nthe demo stops here: that ended with {code}", file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    sys.exit(main())
