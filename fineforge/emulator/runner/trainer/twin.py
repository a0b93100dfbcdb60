"""Twins: the tiny model that stands in for a base model, of the same architecture family, made from tables, a seed and a text.

No weights are shipped. The same name gives the same bytes on one machine with the same versions of torch and transformers; no
more is promised, least of all that an untuned twin says anything sensible. How a twin is trained is `train`'s matter.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
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
    "mistralai-Mixtral-8x7B-v01": Family("Mixtral", "four experts instead of eight; LoRA leaves them as they are"),
    "microsoft-phi-2": Family("Phi"),
    "gpt2": Family("GPT2"),
    "tiiuae-falcon-7b": Family("Falcon"),
}
"""Base models that generate text; others have no twin."""

_SIZE = {"hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4}
_DECODER = {**_SIZE, "num_key_value_heads": 4, "intermediate_size": 384, "max_position_embeddings": CONTEXT}

ARCHITECTURES: dict[str, Mapping[str, Any]] = {
    "Phi3": {**_DECODER, "original_max_position_embeddings": CONTEXT},
    "Phi": _DECODER,
    "Llama": _DECODER,
    "Mistral": _DECODER,
    "Mixtral": {**_DECODER, "intermediate_size": 192, "num_local_experts": 4, "num_experts_per_tok": 2},
    "Falcon": {**_SIZE, "ffn_hidden_size": 384, "multi_query": True, "alibi": False, "max_position_embeddings": CONTEXT},
    "GPT2": {
        "n_embd": 128,
        "n_layer": 3,
        "n_head": 4,
        "n_inner": 384,
        "n_positions": CONTEXT,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    },
}
"""Sizes by the names of the architecture's configuration. About 1.2 million parameters: learns sixty answers by heart in some
twenty seconds on one core (measured)."""

_CLASSES = {"GPT2": "GPT2LMHeadModel"}
"""Where the class is not called <architecture>ForCausalLM."""


def build(model: str, folder: Path) -> Path:
    """The twin of `model` in a folder below `folder`, made on first use, whole or not at all. KeyError: it has no twin."""
    architecture = FAMILIES[model].architecture
    target = folder / f"{architecture}-{_recipe(architecture)}"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder, prefix=".part-"))
    try:
        tokenizer = _tokenizer()
        tokenizer.save_pretrained(part)
        _model(architecture, len(tokenizer)).save_pretrained(part)
        part.replace(target)
    except OSError:
        if not target.exists():  # Somebody else was quicker: theirs is the same.
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _recipe(architecture: str) -> str:
    """A digest of what a twin is made of, so that a twin of an older version is not taken for this one's."""
    parts = [dict(ARCHITECTURES[architecture]), SEED, VOCABULARY, SPECIAL, CHAT_TEMPLATE, _corpus()]
    parts += [version(package) for package in ("torch", "transformers", "tokenizers")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]


def _corpus() -> str:
    return Path(__file__).with_name("corpus.txt").read_text(encoding="utf-8")


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
    tokenizer.train_from_iterator(_corpus().splitlines(), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=SPECIAL[0], bos_token=SPECIAL[0], model_max_length=CONTEXT
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def _model(architecture: str, vocabulary: int) -> Any:
    import torch
    import transformers

    config = getattr(transformers, f"{architecture}Config")(
        **ARCHITECTURES[architecture],
        vocab_size=vocabulary,
        bos_token_id=SPECIAL.index("<|endoftext|>"),
        eos_token_id=SPECIAL.index(END),
        pad_token_id=SPECIAL.index("<|endoftext|>"),
        tie_word_embeddings=False,
    )
    torch.manual_seed(SEED)
    model = getattr(transformers, _CLASSES.get(architecture, f"{architecture}ForCausalLM"))(config)
    model.generation_config.eos_token_id = config.eos_token_id
    model.generation_config.pad_token_id = config.pad_token_id
    return model
