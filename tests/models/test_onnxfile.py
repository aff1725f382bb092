"""Nothing outside a graph's own bytes is read, whatever the graph says: attacks are built with the ONNX package."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tronie.core.errors import ModelError
from tronie.models.onnxfile import _MESSAGES, check_self_contained
from tronie.models.session import Session

onnx = pytest.importorskip("onnx", reason="the extra 'train' is not installed")
from onnx import TensorProto, helper  # noqa: E402

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "src").rglob("*.onnx"))


def model():
    """logits = mean over the pixels x w, with w inside."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 3], np.eye(3, dtype=np.float32).ravel())
    nodes = [helper.make_node("MatMul", ["faces", "w"], ["logits"], name="product")]
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
        [weights],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def outside(order: tuple[str, ...] = ("location", "offset", "length")):
    """A tensor whose values lie in secret.bin."""
    values = {"location": "secret.bin", "offset": "0", "length": "36"}
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3, 3], data_location=TensorProto.EXTERNAL)
    for key in order:
        entry = tensor.external_data.add()
        entry.key, entry.value = key, values[key]
    return tensor


def sparse():
    found = onnx.SparseTensorProto(dims=[3, 3])
    found.values.CopyFrom(outside())
    return found


def within(attribute: Callable[[onnx.AttributeProto], object]):
    def put(made) -> None:
        attribute(made.graph.node[0].attribute.add(name="a"))

    return put


def nested(made, levels: int = 12) -> None:
    """In the branch of an If in the branch of an If …"""
    graph = made.graph
    for _ in range(levels):
        graph = graph.node.add(op_type="If").attribute.add(name="then_branch").g
    graph.initializer.append(outside())


ATTACKS: dict[str, Callable[[onnx.ModelProto], object]] = {
    "initializer": lambda m: m.graph.initializer[0].CopyFrom(outside()),
    "other order": lambda m: m.graph.initializer[0].CopyFrom(outside(("offset", "length", "location"))),
    "location alone": lambda m: setattr(m.graph.initializer[0], "data_location", TensorProto.EXTERNAL),
    "entry alone": lambda m: m.graph.initializer[0].external_data.add(key="location", value="secret.bin"),
    "memory": lambda m: m.graph.initializer[0].external_data.add(key="location", value="*/_ORT_MEM_ADDR_/*"),
    "attribute t": within(lambda a: a.t.CopyFrom(outside())),
    "attribute tensors": within(lambda a: a.tensors.append(outside())),
    "attribute g": within(lambda a: a.g.initializer.append(outside())),
    "attribute graphs": within(lambda a: a.graphs.add().initializer.append(outside())),
    "attribute sparse": within(lambda a: a.sparse_tensor.CopyFrom(sparse())),
    "attribute sparse list": within(lambda a: a.sparse_tensors.append(sparse())),
    "sparse values": lambda m: m.graph.sparse_initializer.append(sparse()),
    "sparse indices": lambda m: m.graph.sparse_initializer.add().indices.CopyFrom(outside()),
    "function": lambda m: m.functions.add().node.add().attribute.add().t.CopyFrom(outside()),
    "function default": lambda m: m.functions.add().attribute_proto.add().t.CopyFrom(outside()),
    "training": lambda m: m.training_info.add().algorithm.initializer.append(outside()),
    "initialisation": lambda m: m.training_info.add().initialization.initializer.append(outside()),
    "nested": nested,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_tensor_in_another_file_is_refused_wherever_it_stands(attack, tmp_path, monkeypatch) -> None:
    made = model()
    check_self_contained(made.SerializeToString())
    ATTACKS[attack](made)
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime would look for it
    np.full((3, 3), 7, np.float32).tofile("secret.bin")
    Path("m.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match=r"m\.onnx keeps weights in another file: export it again, whole in one"):
        Session(Path("m.onnx"))


def varint(number: int, *, wide: int = 0) -> bytes:
    out = bytearray()
    while number >= 0x80 or wide > len(out) + 1:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, content: bytes, *, wide: int = 0) -> bytes:
    return varint(number << 3 | 2, wide=wide) + varint(len(content), wide=wide) + content


VALUE_FIRST = field(2, b"secret.bin") + field(1, b"location")


@pytest.mark.parametrize("wide", [0, 3, 5])
@pytest.mark.parametrize("location", [b"\x70\x01", b"", b"\x70\x81\x80\x80\x80\x10"])
def test_bytes_that_no_library_writes_are_understood_as_onnx_runtime_understands_them(wide, location) -> None:
    """The value before its key, numbers longer than they need be, a graph in two pieces."""
    whole = model()
    del whole.graph.initializer[:]
    tensor = b"\x08\x03\x08\x03\x10\x01" + field(8, b"w") + field(13, VALUE_FIRST, wide=wide) + location
    attack = whole.SerializeToString() + field(7, field(5, tensor, wide=wide), wide=wide)
    assert onnx.load_from_string(attack).graph.initializer[0].external_data[0].value == "secret.bin"
    with pytest.raises(ValueError, match="keeps weights in another file"):
        check_self_contained(attack)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\x08\x09", "empty"),
        (field(7, b"")[:-1] + b"\x05", "cut short"),
        (b"\x3a", "cut short"),
        (b"\x3a\xff\xff\xff\xff\x0f", "cut short"),
        (b"\x3b\x3c", "no field has such a type"),
        (b"\x3f", "no field has such a type"),
        (b"\x00\x00", "no field has such a number"),
        (b"\x38\x01", "a graph in its model is a number"),
        (b"\x08" + b"\xff" * 11, "too long"),
        (varint(7 << 3 | 2 | 1 << 32) + b"\x00", "no field has such a number"),
        (b"\x3d\x00\x00", "cut short"),
        (field(99, b""), "its model has an unknown field, 99"),
        (b"\x10\x00\x00\x00ORTM" + bytes(60), "Runtime's own"),
        (b"\x32\x0f\x00\x00ORTM" + bytes(9) + field(7, b""), "Runtime's own"),
    ],
)
def test_what_is_not_plain_onnx_is_refused(data, says) -> None:
    with pytest.raises(ValueError, match=says):
        check_self_contained(data)


def test_compiled_code_of_an_accelerator_is_not_fetched() -> None:
    made = model()
    made.graph.node.add(op_type="EPContext", domain="com.microsoft")
    with pytest.raises(ValueError, match="compiled code in another file"):
        check_self_contained(made.SerializeToString())


def test_nesting_is_bounded_and_costs_no_stack() -> None:
    inner = b""
    for _ in range(3000):
        inner = field(1, field(5, field(6, inner)))  # node, attribute, graph
    with pytest.raises(ValueError, match="nested more than 100"):
        check_self_contained(field(7, inner))


def test_every_message_of_onnx_is_known() -> None:
    """The table against the package: a new place for a tensor, or a new field, is noticed here."""
    kinds = {
        "model": "ModelProto",
        "training": "TrainingInfoProto",
        "graph": "GraphProto",
        "node": "NodeProto",
        "attribute": "AttributeProto",
        "tensor": "TensorProto",
        "sparse": "SparseTensorProto",
        "function": "FunctionProto",
    }
    names = {theirs: ours for ours, theirs in kinds.items()}

    def reaches(kind, seen=()) -> bool:
        inside = [f.message_type for f in kind.fields if f.message_type and f.message_type.name not in seen]
        return any(i.name == "TensorProto" or reaches(i, (*seen, i.name)) for i in inside)

    for ours, theirs in kinds.items():
        fields = getattr(onnx, theirs).DESCRIPTOR.fields
        known = _MESSAGES[ours]
        assert {f.number for f in fields} <= set(known), theirs
        for one in fields:
            inner = one.message_type
            holds = inner is not None and (inner.name in names or reaches(inner))
            assert known[one.number] == (names[inner.name] if holds else ""), f"{theirs}.{one.name}"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_graphs_that_ship_pass_quickly(path) -> None:
    data = path.read_bytes()
    began = time.process_time()
    check_self_contained(data)
    assert time.process_time() - began < 5  # 0.03 s


@pytest.mark.parametrize("seed", range(4))
def test_damaged_graphs_are_read_as_protobuf_reads_them(seed) -> None:
    """Whatever protobuf takes from damaged bytes, no tensor with data elsewhere gets past the walk."""
    rng = np.random.default_rng(seed)
    made = model()
    for attack in ("attribute tensors", "sparse values", "function", "initializer"):
        ATTACKS[attack](made)
    whole, passed = made.SerializeToString(), 0
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(rng.integers(1, 5)):
            data[rng.integers(len(data))] = rng.integers(256)
        try:
            check_self_contained(bytes(data))
        except ValueError:
            continue
        passed += 1
        assert b"external_data" not in str(onnx.load_from_string(bytes(data))).encode()
    assert passed < 1500


WATCH = """
import sys
from pathlib import Path
from tronie.models.session import Session
try:
    Session(Path('m.onnx'))
except Exception as error:
    print(type(error).__name__, 'another file' in str(error))
"""


def test_the_same_hash_gives_the_same_answers_in_every_folder(tmp_path) -> None:
    """The attack as it was seen: value before key, and a file of the current directory decides what is answered."""
    whole = model()
    del whole.graph.initializer[:]
    tensor = b"\x08\x03\x08\x03\x10\x01" + field(8, b"w") + field(13, VALUE_FIRST) + b"\x70\x01"
    data = whole.SerializeToString() + field(7, field(5, tensor))
    for name, value in (("a", 1.0), ("b", 2.0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.onnx").write_bytes(data)
        np.full((3, 3), value, np.float32).tofile(tmp_path / name / "secret.bin")
        done = subprocess.run(
            [sys.executable, "-c", WATCH],
            cwd=tmp_path / name,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            check=True,
        )
        assert done.stdout == "ModelError True\n"


def test_two_outputs_of_one_name_are_refused(tmp_path) -> None:
    made = model()
    made.graph.output.append(made.graph.output[0])
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match=r"two outputs of one name|not a graph"):
        Session(tmp_path / "m.onnx")
