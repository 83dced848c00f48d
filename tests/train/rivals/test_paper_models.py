"""What makes each of the newer rivals that model: its paper's equations, on tensors small enough to do by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.support.model_fixtures import random_clips, small_config
from train.rivals import RIVALS, rival_loss
from train.rivals.conversational import relation_count, relations, window_edges
from train.rivals.iccn import RIDGE, InverseRoot, correlation
from train.rivals.mfm import MMD_WEIGHT, MSE_WEIGHT, mmd

EVERYTHING = np.ones(3, bool)
CONFIG = small_config(d_model=16, layers=1, heads=2, dropout=0.0, classifier_dropout=0.0, speakers=2)


def made(name: str, **changes):
    torch.manual_seed(0)
    return RIVALS[name](small_config(**({"d_model": 16, "layers": 1, "heads": 2, "speakers": 2} | changes)))


# MFM


def test_mmd_is_nothing_of_one_distribution_and_grows_with_the_distance():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(400, 3, generator=generator) for _ in range(2))
    near, far, further = (float(mmd(x, y + shift)) for shift in (0.0, 1.0, 2.0))
    assert abs(near) < 0.01
    assert near < 0.1 * far < 0.1 * further
    assert float(mmd(x, x)) == pytest.approx(0, abs=1e-6)


def test_factors_learn_to_rebuild_every_modality():
    """The loss that the paper adds falls far below that of a model whose decoders say nothing."""
    model = RIVALS["MFM"](CONFIG).train()
    clips = random_clips(CONFIG, 4, 3, present=EVERYTHING)
    target = torch.arange(4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    first = None
    for _ in range(60):
        output = model(**clips)
        first = first or float(output.auxiliary.detach())
        optimizer.zero_grad()
        rival_loss(output, target).backward()
        optimizer.step()
    # Normalised features have a mean square of 1, and so has the error of saying nothing.
    assert first > 0.9 * 3 * MSE_WEIGHT
    assert float(output.auxiliary) < 0.6 * 3 * MSE_WEIGHT + MMD_WEIGHT
    assert model.eval()(**clips).auxiliary is None


def test_the_label_rests_on_the_shared_factor_alone():
    model = made("MFM").eval()
    clips = random_clips(CONFIG, 2, 3, present=EVERYTHING)
    before = model(**clips).logits
    with torch.no_grad():
        for part in (*model.own.parameters(), *model.encoders.parameters(), *model.decoders.parameters()):
            part.add_(1.0)
    assert torch.equal(model(**clips).logits, before)
    with torch.no_grad():
        model.shared[0].weight.add_(1.0)
    assert not torch.equal(model(**clips).logits, before)


# ICCN


def positive(size: int, values: list[float]) -> torch.Tensor:
    turned = torch.linalg.qr(torch.randn(size, size, dtype=torch.double, generator=torch.Generator().manual_seed(0)))[0]
    return turned @ torch.diag(torch.tensor(values, dtype=torch.double)) @ turned.T


def test_inverse_root_is_one_and_its_gradient_holds_with_equal_eigenvalues():
    matrix = positive(4, [2.0, 0.5, 0.5, 3.0])
    root = InverseRoot.apply(matrix)
    torch.testing.assert_close(root @ root @ matrix, torch.eye(4, dtype=torch.double))

    def symmetric(x):
        return InverseRoot.apply((x + x.T) / 2)

    for tested in (matrix, torch.eye(3, dtype=torch.double)):
        assert torch.autograd.gradcheck(symmetric, tested.clone().requires_grad_())


def test_gradient_of_the_correlation():
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(9, 3, dtype=torch.double, generator=generator, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(correlation, (a, b))
    with torch.no_grad():
        a[:, 2] = 0.0  # a dead unit, whose covariance is the ridge
        b[:, 1] = 0.0
        b[:, 2] = 0.0
    correlation(a, b).backward()
    assert a.grad.isfinite().all()
    assert b.grad.isfinite().all()


def test_correlation_is_that_of_the_latent_variables_whatever_mixes_them():
    generator = torch.Generator().manual_seed(2)
    latent, noise = (torch.randn(5000, 2, dtype=torch.double, generator=generator) for _ in range(2))
    wanted = torch.tensor([0.9, 0.4], dtype=torch.double)
    other = wanted * latent + (1 - wanted**2).sqrt() * noise
    mixes = [torch.tensor([[2.0, 0.3], [-1.0, 1.5]], dtype=torch.double), torch.tensor([[0.5, 2.0], [1.0, 0.2]])]
    found = correlation(latent @ mixes[0], other @ mixes[1].double())
    assert float(found) == pytest.approx(0.65, abs=0.02)
    assert float(correlation(latent, noise)) < 0.05
    assert float(correlation(latent, latent)) == pytest.approx(1, abs=2 * RIDGE)


def test_training_makes_text_based_voice_and_face_correlate():
    model = RIVALS["ICCN"](CONFIG).train()
    clips = random_clips(CONFIG, 40, 1, present=EVERYTHING)
    clips["vision"] = clips["speech"][..., : clips["vision"].shape[-1]].clone()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    found = []
    for _ in range(25):
        output = model(**clips)
        found.append(-float(output.auxiliary.detach()))
        optimizer.zero_grad()
        output.auxiliary.backward()
        optimizer.step()
    assert found[-1] > found[0] + 0.01
    alone = random_clips(CONFIG, 3, 1, present=np.array([True, False, True]))
    assert model(**alone).auxiliary is None  # without words there is nothing that could correlate


# DialogueRNN


def test_the_speaker_picks_the_party_state():
    """GRUs by hand, with a dictionary of people, against the cell; past global states are attended to."""
    cell = made("DialogueRNN").cells[0].eval()
    generator = torch.Generator().manual_seed(0)
    said, whose = torch.randn(1, 5, 16, generator=generator), [0, 1, 1, 2, 0]
    empty = torch.zeros(1, cell.hidden)
    people, whole, emotion, past = dict.fromkeys(range(3), empty), empty, empty, []
    expected = []
    for t, who in enumerate(whose):
        u = said[:, t]
        context = empty
        if past:
            states = torch.cat(past)
            scores = cell.attention(u) @ states.T
            context = scores.softmax(-1) @ states
        whole = cell.globals(torch.cat([u, people[who]], -1), whole)
        people[who] = cell.party(torch.cat([u, context], -1), people[who])
        emotion = cell.emotion(people[who], emotion)
        past.append(whole)
        expected.append(emotion)
    found = cell(said, torch.ones(1, 5, dtype=torch.bool), torch.tensor([whose]))
    torch.testing.assert_close(found[0], torch.cat(expected))


@pytest.mark.parametrize("name", ["DialogueRNN", "DialogueGCN", "COGMEN"])
def test_who_speaks_makes_a_difference(name):
    model = made(name).eval()
    assert model.conversational
    clips = random_clips(CONFIG, 1, 6, present=EVERYTHING)
    turns, monologue = torch.tensor([[0, 1, 0, 1, 1, 0]]), torch.zeros(1, 6, dtype=torch.long)
    answers = [model(**clips, speakers=who).step_logits for who in (turns, monologue)]
    assert (answers[0] - answers[1]).abs().max() > 1e-4


# Graphs


def test_edges_reach_as_far_as_the_window_and_stay_in_the_dialogue():
    valid = torch.tensor([[True, True, True, True], [True, True, False, False]])
    found = {(int(at), int(looking)) for at, looking in window_edges(valid, past=2, future=1).T}
    first = {(j, i) for i in range(4) for j in range(4) if -2 <= j - i <= 1}
    assert found == first | {(4, 4), (5, 4), (4, 5), (5, 5)}


def test_relations_tell_who_from_whom_and_before_from_after():
    edges = window_edges(torch.ones(1, 4, dtype=torch.bool), 3, 3)
    kinds = relations(edges, torch.tensor([[0, 1, 5, 1]]), 2)  # the third person is one of all others
    whose = [0, 1, 1, 1]
    by_kind = {}
    for (at, looking), kind in zip(edges.T.tolist(), kinds.tolist(), strict=True):
        by_kind.setdefault(kind, set()).add((whose[looking], whose[at], at < looking))
    assert all(len(said) == 1 for said in by_kind.values())
    assert len({next(iter(said)) for said in by_kind.values()}) == len(by_kind)
    assert max(by_kind) < relation_count(2) == 8


def test_dialogue_gcn_weighs_edges_and_sums_by_relation():
    model = made("DialogueGCN").eval()
    nodes = torch.randn(5, model.context.size, generator=torch.Generator().manual_seed(0))
    edges = window_edges(torch.ones(1, 5, dtype=torch.bool), 2, 1)
    kinds = relations(edges, torch.tensor([[0, 1, 0, 0, 1]]), 2)
    alpha = model.edge_weights(nodes, edges)
    torch.testing.assert_close(torch.zeros(5).index_add(0, edges[1], alpha), torch.ones(5))
    weights = torch.einsum("rb,bio->rio", model.relational.comp, model.relational.weight)
    first = nodes @ model.relational.root + model.relational.bias
    second = torch.zeros(5, first.shape[1])
    for i in range(5):
        for kind in range(8):
            chosen = ((edges[1] == i) & (kinds == kind)).nonzero().flatten()
            for e in chosen.tolist():
                first[i] = first[i] + alpha[e] / len(chosen) * (nodes[edges[0, e]] @ weights[kind])
    first = first.relu()
    for at, looking in edges.T.tolist():
        second[looking] += first[at]
    expected = (model.convolution.lin_rel(second) + model.convolution.lin_root(first)).relu()
    torch.testing.assert_close(model.convolve(nodes, edges, kinds), expected)


@pytest.mark.parametrize(("name", "hops"), [("DialogueGCN", 20), ("COGMEN", 10)])
def test_graphs_look_as_far_as_two_windows(name, hops, monkeypatch):
    """Without the context before the graph and the attention after it, what is further off is not heard."""
    model = made(name).eval()
    steps = hops + 3
    clips = random_clips(CONFIG, 1, steps, present=EVERYTHING)
    clips["text"].requires_grad_()
    speakers = torch.zeros(1, steps, dtype=torch.long)
    if name == "COGMEN":
        monkeypatch.setattr(model.context, "forward", lambda u, *_: u)
        answer = model(**clips, speakers=speakers).step_logits[0, 0, 0]
    else:
        nodes = F.linear(clips["text"][0], torch.ones(model.context.size, clips["text"].shape[-1]))
        edges = window_edges(torch.ones(1, steps, dtype=torch.bool), 10, 10)
        answer = model.convolve(nodes, edges, relations(edges, speakers, 2))[0]
    heard = torch.autograd.grad(answer.sum(), clips["text"])[0][0].abs().sum(-1) > 0
    assert heard.tolist() == [True] * (hops + 1) + [False] * 2


# Simple baselines


def test_bc_lstm_reads_each_modality_and_then_all_of_them():
    model = made("bc-LSTM").eval()
    clips = random_clips(CONFIG, 2, 4, present=EVERYTHING)
    valid = torch.ones(2, 4, dtype=torch.bool)
    names = ("speech", "text", "vision")
    alone = [lstm(norm(clips[m]), valid)[0] for lstm, norm, m in zip(model.alone, model.norms, names, strict=True)]
    expected = model.classifier(model.together(torch.cat(alone, -1), valid)[0])
    found = model(**clips, speakers=torch.zeros(2, 4, dtype=torch.long))
    torch.testing.assert_close(found.step_logits[0], expected)
    torch.testing.assert_close(
        model(**clips).logits[0], model.classifier(model.together(torch.cat(alone, -1), valid)[0].mean(1))
    )


def test_transformer_joins_all_tokens_in_one_sequence():
    model = made("Transformer").eval()
    lengths = []
    hook = model.encoder.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    clips = random_clips(CONFIG, 2, 4, present=EVERYTHING)
    model(**clips)
    model(**clips, speakers=torch.zeros(2, 4, dtype=torch.long))
    hook.remove()
    assert lengths == [1 + 4 * 3, 4 * 3]
