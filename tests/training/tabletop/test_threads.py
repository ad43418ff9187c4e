"""That torch has its threads back after Python's had their turn."""

from __future__ import annotations

import sys

import torch

from sluice.training.tabletop.threads import a_thread_each


def test_operations_take_one_thread_inside_and_as_many_as_before_outside() -> None:
    before = torch.get_num_threads(), sys.getswitchinterval()
    with a_thread_each():
        assert torch.get_num_threads() == 1
    assert (torch.get_num_threads(), sys.getswitchinterval()) == before
