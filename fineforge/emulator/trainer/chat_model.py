"""The code inside an exported model: MLflow runs this file when the folder is loaded. It imports nothing of fineforge."""

from pathlib import Path
from typing import Any

import mlflow
from mlflow.pyfunc import PythonModel


class ChatModel(PythonModel):  # type: ignore[misc]
    """Answers a conversation. `predict` takes {"messages": [...], "parameters": {...}} and gives the answer's text."""

    def load_context(self, context: Any) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder = Path(context.artifacts["weights"])
        needed = (folder / "needs.txt").read_text().strip()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder)
        if needed == "adapter":
            if not (folder / "adapter" / "adapter_config.json").is_file():
                raise FileNotFoundError("the model folder has no adapter")
            from peft import PeftModel

            self.model = PeftModel.from_pretrained(self.model, folder / "adapter")
        self.model.eval()
        self.torch = torch

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow reads hints as a schema
        messages, settings = model_input["messages"], dict(model_input.get("parameters") or {})
        ids: list[int] = []
        for message in messages:
            ids += self._encode(f"<|{message['role']}|>\n") + self._encode(f"{message['content']}<|end|>") + self._encode("\n")
        ids += self._encode("<|assistant|>\n")
        limit = getattr(self.model.config, "max_position_embeddings", 1024)
        new = min(int(settings.get("max_new_tokens", 200)), limit - 1)
        ids = ids[-(limit - new) :]
        sample = bool(settings.get("do_sample", False))
        choice = {key: float(settings[key]) for key in ("temperature", "top_p") if sample and key in settings}
        with self.torch.no_grad():
            inputs = self.torch.tensor([ids])
            found = self.model.generate(
                input_ids=inputs,
                attention_mask=self.torch.ones_like(inputs),
                max_new_tokens=new,
                do_sample=sample,
                eos_token_id=self.tokenizer.eos_token_id,
                pad_token_id=self.tokenizer.pad_token_id,
                **choice,
            )
        return str(self.tokenizer.decode(found[0][len(ids) :], skip_special_tokens=True)).strip()

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))


mlflow.models.set_model(ChatModel())
