"""The code inside an exported model: MLflow runs this file when the folder is loaded. It imports nothing of fineforge."""

from pathlib import Path
from typing import Any

import mlflow
from mlflow.pyfunc import PythonModel


class ChatModel(PythonModel):  # type: ignore[misc]
    """Answers a conversation. `predict` takes {"messages": [...], "parameters": {...}} and gives the answer's text.

    Parameters are those of transformers' `generate`. Answers are greedy unless `do_sample` is true.
    """

    def load_context(self, context: Any) -> None:
        folder = Path(context.artifacts["weights"])
        adapted = (folder / "needs.txt").read_text().strip() == "adapter"
        _refuse_missing(folder, adapted)
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, logging

        logging.disable_progress_bar()
        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder)
        if adapted:
            from peft import PeftModel

            self.model = PeftModel.from_pretrained(self.model, folder / "adapter")
        self.model.eval()

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow reads hints as a schema
        settings = {"max_new_tokens": 200, "do_sample": False} | dict(model_input.get("parameters") or {})
        limit = getattr(self.model.config, "max_position_embeddings", 1024)
        settings["max_new_tokens"] = min(int(settings["max_new_tokens"]), limit // 2)
        if not settings["do_sample"]:
            settings = {key: value for key, value in settings.items() if key not in ("temperature", "top_p", "top_k")}
        ids = self._prompt(model_input["messages"])[-(limit - settings["max_new_tokens"]) :]
        with self.torch.no_grad():
            inputs = self.torch.tensor([ids])
            found = self.model.generate(
                input_ids=inputs,
                attention_mask=self.torch.ones_like(inputs),
                eos_token_id=self.tokenizer.eos_token_id,
                pad_token_id=self.tokenizer.pad_token_id,
                **settings,
            )
        return str(self.tokenizer.decode(found[0][len(ids) :], skip_special_tokens=True)).strip()

    def _prompt(self, messages: Any) -> list[int]:
        """Up to where the assistant begins to speak, in the pieces in which training spelled it."""
        ids: list[int] = []
        for message in messages:
            ids += self._encode(f"<|{message['role']}|>\n") + self._encode(f"{message['content']}<|end|>") + self._encode("\n")
        return ids + self._encode("<|assistant|>\n")

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))


def _refuse_missing(folder: Path, adapted: bool) -> None:
    """The libraries would look for what is missing on the network, and say so at length."""
    needed = {"model.safetensors": "weights", "tokenizer.json": "tokenizer"}
    if adapted:
        needed |= {"adapter/adapter_config.json": "adapter", "adapter/adapter_model.safetensors": "adapter"}
    missing = sorted({what for name, what in needed.items() if not (folder / name).is_file()})
    if missing:
        raise FileNotFoundError(f"the model folder has no {', no '.join(missing)}")


mlflow.models.set_model(ChatModel())
