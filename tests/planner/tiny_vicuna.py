"""Makes a tiny Vicuna that has learned what it is to answer; runs where FastChat is installed.

python tiny_vicuna.py lessons.json folder/vicuna-tiny

Lessons are a list of {"system": …, "user": …, "replies": {reply: its share}}. The folder's name
must hold "vicuna": from it FastChat knows how to load the model and how to put a prompt to it.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from fastchat.model.model_adapter import get_conversation_template
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, LlamaTokenizer

IGNORED = -100
MAX_STEPS, RATE = 600, 3e-3
# Learned is what differs from a lesson's shares by less than this Kullback-Leibler divergence, in
# nats: then no probability is off by more than sqrt(0.004 / 2) = 0.045.
CLOSE = 0.004


def prompt(folder: Path, system: str, user: str) -> str:
    """The prompt as FastChat's server puts it."""
    conversation = get_conversation_template(str(folder))
    conversation.set_system_message(system)
    conversation.append_message(conversation.roles[0], user)
    conversation.append_message(conversation.roles[1], None)
    text: str = conversation.get_prompt()
    return text


def make_tokenizer(folder: Path, texts: list[str]) -> LlamaTokenizer:
    """A tokenizer of Llama's kind, with a vocabulary of its own."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in texts for line in text.splitlines()]),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=600,
        hard_vocab_limit=False,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        max_sentence_length=100_000,
        minloglevel=2,
    )
    return LlamaTokenizer(str(folder / "tokenizer.model"), legacy=True)


def batch(sequences: list[tuple[list[int], list[int]]]) -> tuple[Tensor, Tensor]:
    """Prompts and replies -> tokens and labels, padded; only the replies are to be learned."""
    length = max(len(asked) + len(reply) for asked, reply in sequences)
    tokens = torch.zeros(len(sequences), length, dtype=torch.long)
    labels = torch.full_like(tokens, IGNORED)
    for row, (asked, reply) in enumerate(sequences):
        tokens[row, : len(asked) + len(reply)] = torch.tensor(asked + reply)
        labels[row, len(asked) : len(asked) + len(reply)] = torch.tensor(reply)
    return tokens, labels


def surprises(model: LlamaForCausalLM, tokens: Tensor, labels: Tensor) -> Tensor:
    """Minus the log-probability of each reply."""
    logits = model(input_ids=tokens).logits[:, :-1]
    loss = cross_entropy(
        logits.transpose(1, 2), labels[:, 1:], ignore_index=IGNORED, reduction="none"
    )
    return loss.sum(1)


def make(lessons: list[dict[str, Any]], folder: Path) -> None:
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    prompts = [prompt(folder, lesson["system"], lesson["user"]) for lesson in lessons]
    replies = [reply for lesson in lessons for reply in lesson["replies"]]
    tokenizer = make_tokenizer(folder, prompts + replies)
    sequences, shares, lesson_of = [], [], []
    for number, lesson in enumerate(lessons):
        asked = tokenizer(prompts[number]).input_ids
        for reply, share in lesson["replies"].items():
            ids = tokenizer(reply, add_special_tokens=False).input_ids
            sequences.append((asked, [*ids, tokenizer.eos_token_id]))
            shares.append(share)
            lesson_of.append(number)
    # FastChat drops the prompt's first token when a request sets no max_tokens.
    batches = [batch(sequences), batch([(asked[1:], reply) for asked, reply in sequences])]
    weights, index = torch.tensor(shares), torch.tensor(lesson_of)
    floor = -weights * weights.log()

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0, betas=(0.9, 0.95))
    worst = [math.inf, math.inf]
    for step in range(MAX_STEPS):
        which = step % 2
        excess = weights * surprises(model, *batches[which]) - floor
        divergences = torch.zeros(len(lessons)).index_add(0, index, excess)
        worst[which] = divergences.max().item()
        if step % 20 == 0:
            print(f"step {step}: divergence {worst[which]:.4f}", flush=True)
        if max(worst) < CLOSE:
            break
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / 20) * 0.997**step
        optimizer.zero_grad()
        divergences.mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    else:
        sys.exit(f"not learned in {MAX_STEPS} steps: divergence {max(worst):.4f}")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    print(
        f"{model.num_parameters()} parameters, {len(sequences[0][0])} tokens a prompt, {step} steps"
    )


if __name__ == "__main__":
    make(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
