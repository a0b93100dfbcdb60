"""Twins: the tiny model that stands in for a base model, of the same architecture family, made from a table, a seed and a text.

No weights are shipped. The same name gives the same bytes on one machine and version of torch; nothing else is promised, least of
all that an untuned twin says anything sensible.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = 20_260_723
VOCABULARY = 2048
CONTEXT = 1024
END, USER, ASSISTANT, SYSTEM = "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"
SPECIAL = ("<|endoftext|>", END, USER, ASSISTANT, SYSTEM)

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Family:
    """An architecture of transformers that a base model belongs to."""

    architecture: str
    note: str = ""


FAMILIES: dict[str, Family] = {
    "Phi-4": Family("Phi3"),
    "Phi-3-mini-4k-instruct": Family("Phi3"),
    "Phi-3.5-mini-instruct": Family("Phi3"),
    "Phi-3-medium-4k-instruct": Family("Phi3"),
    "Phi-3-small-8k-instruct": Family("Phi3", "transformers has no Phi-3-small; its twin is a Phi-3"),
    "Llama-2-7b-chat": Family("Llama"),
    "Llama-2-7b": Family("Llama"),
    "mistralai-Mistral-7B-v01": Family("Mistral"),
    "mistralai-Mixtral-8x7B-v01": Family("Mistral", "its twin has no experts: a Mistral"),
    "microsoft-phi-2": Family("Phi"),
    "gpt2": Family("Llama", "its twin is a Llama: the adapter names of GPT-2 differ"),
    "tiiuae-falcon-7b": Family("Llama", "its twin is a Llama: the adapter names of Falcon differ"),
}
"""Base models that generate text; others have no twin."""


def build(model: str, folder: Path) -> Path:
    """The twin of `model` in a folder below `folder`, made on first use, whole or not at all. KeyError: it has no twin."""
    family = FAMILIES[model]
    target = folder / f"{family.architecture}-{VOCABULARY}"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder, prefix=".part-"))
    try:
        tokenizer = _tokenizer()
        tokenizer.save_pretrained(part)
        _model(family.architecture, len(tokenizer)).save_pretrained(part)
        os.replace(part, target)
    except OSError:
        if not target.exists():  # Somebody else was quicker: theirs is the same.
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _tokenizer() -> Any:
    """Byte-level BPE over the shipped text: every byte has a token, so nothing is unknown."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    text = Path(__file__).with_name("corpus.txt").read_text(encoding="utf-8")
    tokenizer.train_from_iterator(text.splitlines(), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=SPECIAL[0], bos_token=SPECIAL[0], model_max_length=CONTEXT
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def _model(architecture: str, vocabulary: int) -> Any:
    """1.2 million parameters: learns sixty answers by heart in half a minute on one core (measured)."""
    import torch
    import transformers

    config = getattr(transformers, f"{architecture}Config")(
        vocab_size=vocabulary,
        hidden_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        intermediate_size=384,
        max_position_embeddings=CONTEXT,
        original_max_position_embeddings=CONTEXT,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    torch.manual_seed(SEED)
    model = getattr(transformers, f"{architecture}ForCausalLM")(config)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = 1, 0
    return model
