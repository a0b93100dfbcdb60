"""What a request to a deployment may say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fineforge.emulator.runner.scorer import read_request

MESSAGE = {"role": "user", "content": "hello"}


def body(**parameters: Any) -> bytes:
    return json.dumps({"input_data": {"input_string": [MESSAGE], "parameters": parameters}, "params": {}}).encode()


def test_both_forms_of_a_request_are_read() -> None:
    nested = json.dumps({"input_data": {"input_string": [[MESSAGE]], "parameters": {"max_new_tokens": 3}}}).encode()
    assert read_request(body(max_new_tokens=3)) == read_request(nested)
    assert read_request(nested) == {"messages": [MESSAGE], "parameters": {"max_new_tokens": 3}}


def test_parameters_of_the_tutorial_are_taken() -> None:
    given = {"temperature": 0.6, "top_p": 0.9, "do_sample": True, "max_new_tokens": 200}
    assert read_request(body(**given))["parameters"] == given


@pytest.mark.parametrize(
    ("request_body", "words"),
    [
        (b"not json", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"{}", "the request needs"),
        (b'{"input_data": {"input_string": "hello"}}', "must be a list of messages"),
        (b'{"input_data": {"input_string": []}}', "must be a list of messages"),
        (b'{"input_data": {"input_string": [{"role": "cat", "content": "hello"}]}}', "with role"),
        (b'{"input_data": {"input_string": [{"role": "user", "content": "hello"}], "parameters": [1]}}', "must be a mapping"),
        (body(max_new_tokens="many"), "`max_new_tokens` must be a whole number"),
        (body(max_new_tokens=True), "`max_new_tokens` must be a whole number"),
        (body(temperature=0), "`temperature` must be a number above 0"),
        (body(do_sample="no", top_p=3), "`do_sample` must be true or false; `top_p` must be a number above 0, at most 1"),
        (body(magic=1), "take no parameter `magic`, only max_new_tokens"),
    ],
)
def test_a_bad_request_is_the_callers_fault(request_body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_request(request_body)
