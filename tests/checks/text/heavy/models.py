"""Tiny models with random weights of the architectures that the heavier checks load, written to folders as users have
them. Words are tokens: a test says by name what a model reads and answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, processors

WORDS = ("a", "castle", "at", "dusk", "oil", "on", "canvas", "nude", "woman", "house", "red", "boat")
SEED = 11


def word_tokenizer(length: int = 16) -> Any:
    """Words in square brackets as BERT has them."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    inner = Tokenizer(models.WordLevel({n: i for i, n in enumerate(names)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=length,
    )


def save(model: Any, tokenizer: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def bert(labels: Sequence[str] = ("SFW", "NSFW"), *, length: int = 16, **config: Any) -> Any:
    torch.manual_seed(SEED)
    made = transformers.BertConfig(
        vocab_size=len(WORDS) + 4,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=length,
        id2label=dict(enumerate(labels)),
        label2id={name: i for i, name in enumerate(labels)},
        **config,
    )
    return transformers.BertForSequenceClassification(made).eval()


def telling_bert(labels: Sequence[str] = ("SFW", "NSFW"), *, word: str = "nude", unsafe: int = 1) -> Any:
    """A classifier that says `unsafe` in any window that holds `word`, and another label in any other."""
    model = bert(labels)
    width = model.config.hidden_size
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
        # All words alike but one, attention as a mean over the window, no change by the layers: the state at [CLS]
        # moves only where the word is in the window.
        embed = model.bert.embeddings
        embed.LayerNorm.weight.fill_(1.0)
        embed.word_embeddings.weight[:, 0] = 1.0
        embed.word_embeddings.weight[4 + WORDS.index(word), :2] = torch.tensor([0.0, 1.0])
        for layer in model.bert.encoder.layer:
            eye = torch.eye(width)
            layer.attention.self.value.weight.copy_(eye)
            layer.attention.output.dense.weight.copy_(eye)
            layer.attention.output.LayerNorm.weight.fill_(1.0)
            layer.output.LayerNorm.weight.fill_(1.0)
        model.bert.pooler.dense.weight.copy_(torch.eye(width))
    with torch.no_grad():
        # Calibrated on a full window: in a shorter one the word weighs more.
        plain, telling = (_pooled(model, [2, *[4] * 13, last, 3]) for last in (4, 4 + WORDS.index(word)))
        direction = telling - plain
        model.classifier.weight[unsafe].copy_(direction * 16 / (direction @ direction))
        model.classifier.bias[unsafe] = float(-8 - (model.classifier.weight[unsafe] @ plain))
    return model


def _pooled(model: Any, ids: list[int]) -> Any:
    return model.bert(torch.tensor([ids])).pooler_output[0]


QWEN_TEMPLATE = (
    "{% for m in messages %}<|im_start|>user\nJudge. Safety: Categories: USER: {{ m.content | trim }}<|im_end|>\n"
    "{% endfor %}<|im_start|>assistant\n"
)
LLAMA_TEMPLATE = (
    "{{ bos_token }}<|start_header_id|>user<|end_header_id|>\n\n<BEGIN UNSAFE CONTENT CATEGORIES>\nS12\n"
    "<END UNSAFE CONTENT CATEGORIES>\n\nUser: {{ messages[0]['content'] | trim }}\n\n<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>"
)
# As templates of models that see pictures are: content is a list of parts.
PARTS_TEMPLATE = LLAMA_TEMPLATE.replace(
    "{{ messages[0]['content'] | trim }}",
    "{% for c in messages[0]['content'] | selectattr('type', 'equalto', 'text') %}{{ c['text'] }}{% endfor %}",
)
GEMMA_TEMPLATE = (
    "{{ bos_token }}Decide.\n\n<start_of_turn>\nHuman Question: {{ messages[0]['content'] }}\n<end_of_turn>\n\n"
    "* {{ guideline }}\n\nYour answer must start with 'Yes' or 'No'.\n\n"
)

_CONTROLS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
)
_ANSWERS = (
    *(" Safe", " Unsafe", " Controversial"),
    *(" Violent", " Non", " Sexual", " PII", " Suicide", " Unethical", " Politically", " Copyright", " Jailbreak"),
    *("safe", "unsafe", "S", *map(str, range(1, 15))),
    *("Yes", "No"),
)


def guard_tokenizer(template: str | None = None) -> Any:
    """Words, answers and single characters are tokens; whatever else there is, is unknown."""
    letters = [chr(c) for c in range(32, 127)]
    names = list(dict.fromkeys(["<unk>", "<bos>", *_CONTROLS, *_ANSWERS, *WORDS, "\n", "\n\n", *letters]))
    inner = Tokenizer(models.WordLevel({n: i for i, n in enumerate(names)}, unk_token="<unk>"))
    longest = "|".join(
        [*(a.replace(" ", r"\ ") for a in sorted(_ANSWERS, key=len, reverse=True)), *WORDS, r"\n\n", r"[\s\S]"]
    )
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(longest), "isolated")
    inner.add_special_tokens([AddedToken(c, special=True, normalized=False) for c in ("<unk>", "<bos>", *_CONTROLS)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", bos_token="<bos>", chat_template=template, model_max_length=2048
    )


_SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 2048,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}


def qwen3(tokenizer: Any, **config: Any) -> Any:
    torch.manual_seed(SEED)
    made = transformers.Qwen3Config(vocab_size=len(tokenizer), tie_word_embeddings=False, **{**_SIZES, **config})
    return transformers.Qwen3ForCausalLM(made).eval()


def llama(tokenizer: Any) -> Any:
    torch.manual_seed(SEED)
    made = transformers.LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=False, **_SIZES)
    return transformers.LlamaForCausalLM(made).eval()


def llama4(tokenizer: Any) -> Any:
    """The architecture of Llama Guard 4: one that sees pictures too."""
    torch.manual_seed(SEED)
    made = transformers.Llama4Config(
        text_config={
            **_SIZES,
            "vocab_size": len(tokenizer),
            "intermediate_size_mlp": 16,
            "num_local_experts": 1,
            "moe_layers": [],
            "attention_chunk_size": 2048,
            "tie_word_embeddings": False,
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
            "vision_output_dim": 16,
            "projector_input_dim": 16,
            "projector_output_dim": 16,
        },
    )
    return transformers.Llama4ForConditionalGeneration(made).eval()


def gemma2(tokenizer: Any) -> Any:
    torch.manual_seed(SEED)
    made = transformers.Gemma2Config(vocab_size=len(tokenizer), sliding_window=512, **_SIZES)
    return transformers.Gemma2ForCausalLM(made).eval()
