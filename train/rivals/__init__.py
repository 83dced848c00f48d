"""The models that HFF is compared with, on its interface, one a module, each with its paper.

``RIVALS[name](config)`` builds one for any label set and feature sizes. Those with ``conversational`` are made for
dialogues. No training of them: all learn on equal terms in ``train.experiments``.
"""

from __future__ import annotations

from train.rivals.averaging import LateAveraging
from train.rivals.bc_lstm import ContextualLSTM
from train.rivals.cogmen import COGMEN
from train.rivals.concatenation import Concatenation
from train.rivals.dialogue_gcn import DialogueGCN
from train.rivals.dialogue_rnn import DialogueRNN
from train.rivals.fixed import FixedWeights
from train.rivals.iccn import CanonicalCorrelationNetwork
from train.rivals.lmf import LowRankFusion
from train.rivals.mfm import FactorizationModel
from train.rivals.mfn import MemoryFusion
from train.rivals.mult import MultimodalTransformer
from train.rivals.rival import Rival, RivalOutput, rival_loss
from train.rivals.tfn import TensorFusion
from train.rivals.transformer import TokenTransformer

__all__ = ["RIVALS", "Rival", "RivalOutput", "rival_loss"]

RIVALS: dict[str, type[Rival]] = {
    "concatenation": Concatenation,
    "late averaging": LateAveraging,
    "fixed weights": FixedWeights,
    "bc-LSTM": ContextualLSTM,
    "Transformer": TokenTransformer,
    "TFN": TensorFusion,
    "LMF": LowRankFusion,
    "MFN": MemoryFusion,
    "MFM": FactorizationModel,
    "ICCN": CanonicalCorrelationNetwork,
    "MulT": MultimodalTransformer,
    "DialogueRNN": DialogueRNN,
    "DialogueGCN": DialogueGCN,
    "COGMEN": COGMEN,
}
