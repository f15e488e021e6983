#!/usr/bin/env python3
"""Writes tests/hostile: small malformed model files, and expected.tsv, which says how kerf refuses each one.

Every line of expected.tsv is: path, kind of error, a part of the message. Needs nothing but Python; the same
bytes come out each time. Usage: tools/hostile_files.py [FOLDER]
"""
import json
import pathlib
import shutil
import struct
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "tests/hostile")
EXPECTED: list[tuple[str, str, str]] = []
U64_MAX = 2**64 - 1
F32, F16, Q4_0 = 0, 1, 2
KV_U8, KV_U32, KV_BOOL, KV_STRING, KV_ARRAY, KV_U64 = 0, 4, 7, 8, 9, 10


def expect(path: str, content: bytes | dict[str, bytes] | None, kind: str, message: str) -> None:
    """One file, or a folder of files; with None the files are there already."""
    target = ROOT / path
    for name, part in (content if isinstance(content, dict) else {"": content}).items():
        if part is not None:
            file = target / name if name else target
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(part)
    EXPECTED.append((path, kind, message))


# --- GGUF --------------------------------------------------------------------------------------------------
def u32(x: int) -> bytes:
    return struct.pack("<I", x)


def u64(x: int) -> bytes:
    return struct.pack("<Q", x)


def text(x: bytes, length: int | None = None) -> bytes:
    return u64(len(x) if length is None else length) + x


def key(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + u32(kind) + value


def array(element: int, n: int, values: bytes = b"") -> bytes:
    return u32(element) + u64(n) + values


def tensor(name: bytes = b"t", dims: tuple = (4,), kind: int = F32, offset: int = 0, n_dims: int | None = None) -> bytes:
    return text(name) + u32(len(dims) if n_dims is None else n_dims) + b"".join(map(u64, dims)) + u32(kind) + u64(offset)


def gguf(keys: tuple = (), tensors: tuple = (), data: bytes = b"", *, version: int = 3, n_tensors: int | None = None,
         n_keys: int | None = None, alignment: int = 32) -> bytes:
    out = b"GGUF" + u32(version) + u64(len(tensors) if n_tensors is None else n_tensors)
    out += u64(len(keys) if n_keys is None else n_keys) + b"".join(keys) + b"".join(tensors)
    return out + bytes(-len(out) % alignment) + data


ARCHITECTURE = key(b"general.architecture", KV_STRING, text(b"llama"))
DATA = struct.pack("<8f", *range(8))


def gguf_header() -> None:
    whole = gguf((ARCHITECTURE,), (tensor(),), DATA[:16])
    cuts = {"magic": (2, "magic number"), "version": (6, "version"), "counts": (12, "tensor count"),
            "key": (30, "1 tensors cannot fit"), "value": (56, "«general.architecture»: string"),
            "tensor_name": (75, "tensor 1 of 1: name"), "tensor_dims": (80, "«t»: number of dimensions"),
            "tensor_offset": (98, "«t»: offset"), "data": (len(whole) - 1, "«t»: [4] F32 at offset 0")}
    for name, (length, message) in cuts.items():
        if name == "magic":
            expect("gguf/cut_magic.gguf", whole[:length], "input", "neither GGUF nor safetensors")
        elif name == "tensor_name":
            expect(f"gguf/cut_{name}.gguf", gguf((ARCHITECTURE,) * 1, (tensor(b"blk.0.attn_q.weight" * 2),))[:100], "input",
                   message)
        else:
            expect(f"gguf/cut_{name}.gguf", whole[:length], "input", message)
    expect("gguf/empty.gguf", b"", "input", "is empty")
    for version in (0, 1, 4):
        kind = ("unsupported", "big-endian") if version == 0 else ("unsupported", f"GGUF version {version} is not supported")
        expect(f"gguf/version_{version}.gguf", gguf(version=version), *kind)
    expect("gguf/big_endian.gguf", b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "unsupported", "big-endian")
    expect("gguf/big_endian_magic.gguf", b"FUGG" + struct.pack(">IQQ", 3, 0, 0), "unsupported", "big-endian")
    for name, n in {"2_to_63": 2**63, "max": U64_MAX, "wraps_when_multiplied": 2**61, "one_million": 10**6}.items():
        expect(f"gguf/n_tensors_{name}.gguf", gguf(n_tensors=n), "input", f"{n} tensors cannot fit")
        expect(f"gguf/n_keys_{name}.gguf", gguf(n_keys=n), "input", f"{n} metadata keys cannot fit")
    expect("gguf/n_keys_one_too_many.gguf", gguf((ARCHITECTURE,), n_keys=2, data=bytes(64)), "input", "metadata key 2 of 2")


def gguf_keys() -> None:
    def one(name: str, entry: bytes, message: str, kind: str = "input") -> None:
        expect(f"gguf/{name}.gguf", gguf((entry,), data=bytes(64)), kind, message)

    one("key_empty", key(b"", KV_U32, u32(1)), "metadata key 1 of 1: has an empty name")
    one("key_with_zero_byte", key(b"a\0b", KV_U32, u32(1)), "contains a zero byte")
    one("key_length_max", text(b"key", U64_MAX) + u32(KV_U32), "18446744073709551615 bytes")
    one("key_length_sign", text(b"key", 2**63) + u32(KV_U32), "reaches past the end")
    one("key_of_control_characters", key(b"\x1b[2J\xff", 99, b""), "«\\x1b[2J\\xff»: unknown value type 99")
    expect("gguf/key_long.gguf", gguf((key(b"k" * 70000, KV_U32, u32(1)),)), "input", "name of 70000 bytes")
    expect("gguf/key_twice.gguf", gguf((ARCHITECTURE, ARCHITECTURE)), "input", "«general.architecture»: appears twice")
    one("type_13", key(b"k", 13, u32(1)), "unknown value type 13")
    one("type_max", key(b"k", 2**32 - 1, u32(1)), "unknown value type 4294967295")
    one("string_length_max", key(b"k", KV_STRING, text(b"x", U64_MAX)), "«k»: string")
    one("bool_2", key(b"k", KV_BOOL, b"\x02"), "byte 2 at offset 37 is not a bool")
    one("bool_array_255", key(b"k", KV_ARRAY, array(KV_BOOL, 3, b"\0\1\xff")), "byte 255 at offset 51")
    one("array_type_13", key(b"k", KV_ARRAY, array(13, 1, u32(0))), "unknown element type 13")
    one("array_nested", key(b"k", KV_ARRAY, array(KV_ARRAY, 1, array(KV_U32, 1, u32(0)))), "array of arrays", "unsupported")
    one("array_length_max", key(b"k", KV_ARRAY, array(KV_U32, U64_MAX)), "above the limit")
    one("array_wraps", key(b"k", KV_ARRAY, array(KV_U64, 2**61 + 1, u64(0))), "above the limit")
    one("array_past_end", key(b"k", KV_ARRAY, array(KV_U32, 1000, u32(0))), "value (4000 bytes at offset 49)")
    one("array_of_many_strings", key(b"k", KV_ARRAY, array(KV_STRING, 10**8)), "100000000 strings cannot fit")
    one("array_string_past_end", key(b"k", KV_ARRAY, array(KV_STRING, 2, text(b"a") + text(b"b", 2**40))),
        "a string of the array")


def gguf_alignment() -> None:
    name = b"general.alignment"
    for value in (0, 3, 4, 48, 2**31):
        expect(f"gguf/alignment_{value}.gguf", gguf((key(name, KV_U32, u32(value)),), (tensor(),), DATA), "input",
               f"general.alignment»: {value} is not a power of two")
    for title, kind, value, spelled in (("u64", KV_U64, u64(32), "u64"), ("string", KV_STRING, text(b"32"), "string"),
                                        ("array", KV_ARRAY, array(KV_U32, 1, u32(32)), "an array of u32"),
                                        ("bool", KV_BOOL, b"\1", "bool")):
        expect(f"gguf/alignment_{title}.gguf", gguf((key(name, kind, value),), (tensor(),), DATA), "input",
               f"must be a u32, not {spelled}")
    expect("gguf/alignment_not_kept.gguf", gguf((key(name, KV_U32, u32(64)),), (tensor(offset=32),), DATA * 9, alignment=64),
           "input", "offset 32 is not a multiple of the alignment 64")


def gguf_own_types() -> None:
    """Tensors of bytes that metadata declares to be in a format of kerf's own: here one of 2 rows of 40 bytes."""
    strings = lambda *texts: array(KV_STRING, len(texts), b"".join(map(text, texts)))
    columns = lambda *n: array(KV_U64, len(n), b"".join(map(u64, n)))

    def one(name: str, message: str, kind: str = "input", *, names=strings(b"t"), formats=strings(b"NVFP4_ROW"),
            cols=columns(64), dims=(40, 2), stored: int = 24) -> None:
        keys = [key(b"kerf.tensor.names", KV_ARRAY, names), key(b"kerf.tensor.formats", KV_ARRAY, formats)]
        keys += [key(b"kerf.tensor.columns", KV_ARRAY, cols)] if cols else []
        expect(f"gguf/own_{name}.gguf", gguf(tuple(keys), (tensor(dims=dims, kind=stored),), bytes(320)), kind, message)

    one("counts_differ", "have 1, 1 and 2 entries", cols=columns(64, 64))
    one("formats_missing", "have 1, 0 and 1 entries", formats=strings())
    one("columns_missing", "«kerf.tensor.columns»", "not_found", cols=b"")
    one("columns_are_floats", "«kerf.tensor.columns»", cols=array(6, 1, struct.pack("<f", 64)))
    one("unknown_format", "kerf's format «NVFP5», which this kerf does not know", "unsupported", formats=strings(b"NVFP5"))
    one("tensor_missing", "«u»: is named in «kerf.tensor.names», but not in the file", names=strings(b"u"))
    one("named_twice", "is not stored as bytes", names=strings(b"t", b"t"), formats=strings(b"NVFP4_ROW", b"NVFP4_ROW"),
        cols=columns(64, 64))
    one("not_bytes", "is not stored as bytes", stored=F32)
    one("scalar", "is not stored as bytes", dims=())
    one("columns_zero", "rows of 40 bytes do not hold 0 numbers", cols=columns(0))
    one("columns_too_many", "rows of 40 bytes do not hold 65 numbers", cols=columns(65))
    one("columns_too_few", "rows of 76 bytes do not hold 64 numbers", dims=(76, 2))
    one("columns_wrap", "do not hold 18446744073709551615 numbers", cols=columns(U64_MAX))
    one("columns_wrap_to_row", "do not hold", cols=columns(2**63 + 64))


def gguf_tensors() -> None:
    def one(name: str, entry: bytes | tuple, message: str, kind: str = "input", data: bytes = DATA) -> None:
        expect(f"gguf/{name}.gguf", gguf((), entry if isinstance(entry, tuple) else (entry,), data), kind, message)

    one("tensor_empty_name", tensor(b""), "tensor 1 of 1: has an empty name")
    one("tensor_name_with_zero_byte", tensor(b"a\0"), "contains a zero byte")
    one("tensor_name_length_max", text(b"t", U64_MAX) + bytes(40), "reaches past the end")
    one("tensor_twice", (tensor(), tensor(offset=32)), "«t»: appears twice", data=DATA * 2)
    one("dims_5", tensor(dims=(1,) * 5), "5 dimensions at offset 33")
    one("dims_max", tensor(n_dims=2**32 - 1), "4294967295 dimensions")
    one("dims_zero_extent", tensor(dims=(4, 0)), "has an extent of 0")
    one("dims_wrap_to_zero", tensor(dims=(2**32, 2**32)), "wraps 64 bits")
    one("dims_wrap_to_small", tensor(dims=(2**63 + 2, 2)), "wraps 64 bits")
    one("dims_sign", tensor(dims=(2**63,)), "wraps 64 bits")
    one("dims_wrap_in_bytes", tensor(dims=(2**62,)), "reaches past the end")
    one("type_removed", tensor(kind=4), "is of GGUF type 4,", "unsupported")
    one("type_9999", tensor(kind=9999), "is of GGUF type 9999,", "unsupported")
    one("tensor_type_max", tensor(kind=2**32 - 1), "is of GGUF type 4294967295,", "unsupported")
    one("row_not_a_multiple", tensor(dims=(33, 32), kind=Q4_0), "rows of 33 are not a multiple of 32", data=bytes(1024))
    one("block_scalar", tensor(dims=(), kind=Q4_0), "rows of 1 are not a multiple of 32")
    one("offset_misaligned", tensor(offset=4), "offset 4 is not a multiple of the alignment 32", data=DATA * 2)
    one("offset_past_end", tensor(offset=2**20), "reaches past the end")
    one("offset_wraps", tensor(offset=2**64 - 32), "reaches past the end")
    one("tensors_overlap", (tensor(b"a", (16,)), tensor(b"b", (4,), offset=32)), "«b»: its bytes from offset 128 overlap tensor «a»",
        data=DATA * 4)
    one("tensors_same_place", (tensor(b"a"), tensor(b"b")), "overlap tensor")
    one("data_missing", tensor(), "reaches past the end", data=b"")


def shard(number: int, count: int, name: bytes, total: int = 2, kind: int = 2) -> bytes:
    keys = (key(b"split.no", kind, struct.pack("<H", number)), key(b"split.count", kind, struct.pack("<H", count)),
            key(b"split.tensors.count", 5, struct.pack("<i", total)))
    return gguf(keys, (tensor(name),), DATA)


def gguf_shards() -> None:
    expect("gguf/lonely-00001-of-00002.gguf", shard(0, 2, b"a"), "not_found", "shard 2 of 2 is missing")
    expect("gguf/misnamed.gguf", shard(0, 2, b"a"), "input", "must end in «-00001-of-00002.gguf»")
    expect("gguf/number-00001-of-00002.gguf", shard(7, 2, b"a"), "input", "split.no 7 and split.count 2")
    expect("gguf/many-00001-of-00002.gguf",
           gguf((key(b"split.no", KV_U32, u32(0)), key(b"split.count", KV_U32, u32(2**32 - 1)))), "input", "make no sense")
    for name, second, kind, message in (
            ("twin", shard(1, 2, b"a"), "input", "«a» is in another shard too"),
            ("first", shard(0, 2, b"b"), "input", "says that it is shard 1 of 2, but its name says 2 of 2"),
            ("short", shard(1, 2, b"b"), "input", "hold 2 tensors together, but split.tensors.count says 3"),
            ("stranger", gguf((ARCHITECTURE,), (tensor(b"b"),), DATA), "not_found", "split.no")):
        (ROOT / f"gguf/{name}-00002-of-00002.gguf").write_bytes(second)
        expect(f"gguf/{name}-00001-of-00002.gguf", shard(0, 2, b"a", 3 if name == "short" else 2), kind, message)


# --- safetensors -------------------------------------------------------------------------------------------
def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def safetensors(header: object, data: bytes = bytes(8), length: int | None = None) -> bytes:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return u64(len(head) if length is None else length) + head + data


def safetensors_files() -> None:
    def one(name: str, header: object, message: str, kind: str = "input", data: bytes = bytes(8), length: int | None = None):
        expect(f"safetensors/{name}.safetensors", safetensors(header, data, length), kind, message)

    expect("safetensors/cut_length.safetensors", b"\x08\0\0", "input", "header length (8 bytes at offset 0)")
    one("cut_header", b'{"t":', "header (200 bytes at offset 8)", length=200)
    one("cut_data", {"t": entry()}, "reaches past the 7 bytes of data", data=bytes(7))
    one("length_max", b"{}", "header claims 18446744073709551615 bytes", length=U64_MAX)
    one("length_above_limit", b"{}", "header claims 100000001 bytes", length=100000001)
    one("length_0", b"", "not valid JSON", length=0)
    one("not_json", b'{"t": nope}', "not valid JSON at byte")
    one("not_utf8", b'{"t\xff": 1}', "not valid JSON at byte")
    one("header_is_array", b"[{}]", "not a JSON object")
    one("trailing_text", b"{} {}", "not valid JSON")
    one("deep", b'{"t":' + b"[" * 5000, "nesting")
    one("number_overflow", b'{"t":{"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}}', "number is too large")
    one("tensor_twice", b'{"t":' + json.dumps(entry()).encode() + b',"t":' + json.dumps(entry()).encode() + b"}", "appears twice")
    one("field_twice", b'{"t":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}}', "appears twice")
    one("tensor_empty_name", {"": entry()}, "the name is empty")
    one("tensor_name_with_zero_byte", {"a\0b": entry()}, "contains a zero byte")
    one("tensor_not_object", {"t": 3}, "not a JSON object")
    one("dtype_missing", {"t": {"shape": [2], "data_offsets": [0, 8]}}, "«dtype» is missing")
    one("dtype_number", {"t": entry(dtype=1)}, "«dtype» is missing or not a string")
    one("dtype_unknown", {"t": entry(dtype="F31")}, "dtype «F31» is not supported", "unsupported")
    one("dtype_of_gguf", {"t": entry(dtype="Q4_0", shape=(32,), offsets=(0, 18))}, "dtype «Q4_0»", "unsupported", bytes(18))
    one("dtype_lower_case", {"t": entry(dtype="f32")}, "dtype «f32»", "unsupported")
    one("shape_missing", {"t": {"dtype": "F32", "data_offsets": [0, 8]}}, "«shape» is not an array")
    one("shape_negative", {"t": entry(shape=(-2,))}, "non-negative integers")
    one("shape_fraction", {"t": entry(shape=(2.0,))}, "non-negative integers")
    one("shape_string", {"t": entry(shape=("2",))}, "non-negative integers")
    one("shape_many", {"t": entry(shape=(1,) * 17)}, "at most 16 extents")
    one("shape_wraps", {"t": entry(shape=(2**32, 2**32 + 2))}, "wraps 64 bits")
    one("shape_wraps_in_bytes", {"t": entry(shape=(2**62 + 2,))}, "wraps 64 bits")
    one("shape_wraps_beside_zero", {"t": entry(shape=(0, 2**40, 2**40), offsets=(0, 0))}, "wraps 64 bits")
    one("offsets_missing", {"t": {"dtype": "F32", "shape": [2]}}, "«data_offsets»")
    one("offsets_three", {"t": entry(offsets=(0, 8, 8))}, "array of two numbers")
    one("offsets_negative", {"t": entry(offsets=(-8, 0))}, "not a range")
    one("offsets_reversed", {"t": entry(offsets=(8, 0))}, "not a range")
    one("offsets_past_end", {"t": entry(offsets=(8, 16))}, "reaches past the 8 bytes")
    one("offsets_max", {"t": entry(offsets=(2**64 - 8, 2**64 - 1))}, "reaches past the 8 bytes")
    one("size_too_small", {"t": entry(shape=(3,))}, "[3] F32 takes 12 bytes, but its data [0, 8) has 8")
    one("size_too_large", {"t": entry(shape=(1,))}, "[1] F32 takes 4 bytes, but its data [0, 8) has 8")
    one("hole", {"a": entry(), "b": entry(offsets=(12, 20))}, "ends at 8 (hole)", data=bytes(20))
    one("hole_in_front", {"a": entry(offsets=(8, 16))}, "ends at 0 (hole)", data=bytes(16))
    one("overlap", {"a": entry(), "b": entry(offsets=(4, 12))}, "ends at 8 (overlap)", data=bytes(12))
    one("same_place", {"a": entry(), "b": entry()}, "ends at 8 (overlap)")
    one("data_left_over", {"a": entry()}, "8 bytes follow the data", data=bytes(16))
    one("metadata_number", {"__metadata__": {"epoch": 3}, "a": entry()}, "«epoch» is not a string")
    one("metadata_string", {"__metadata__": "pt", "a": entry()}, "«__metadata__» is not a JSON object")


def folders() -> None:
    index = "model.safetensors.index.json"

    def listing(**weights: str) -> bytes:
        return json.dumps({"metadata": {"total_size": 8}, "weight_map": weights}).encode()

    good = safetensors({"a": entry()})
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    expect("folder/shard_missing", {index: listing(a=one, b=two), one: good}, "not_found", f"shard «{two}» is listed")
    expect("folder/tensor_missing", {index: listing(a=one, b=one), one: good}, "input", "«b» should be here")
    expect("folder/shard_broken", {index: listing(a=one), one: good[:-1]}, "input", "reaches past the 7 bytes")
    expect("folder/index_escapes", {index: listing(a="../../hostile.safetensors")}, "input", "not the name of a file")
    expect("folder/index_absolute", {index: listing(a="/etc/passwd")}, "input", "not the name of a file")
    expect("folder/index_number", {index: b'{"weight_map": {"a": 1}}'}, "input", "not the name of a file")
    expect("folder/index_without_map", {index: b"{}"}, "input", "«weight_map» is missing")
    expect("folder/index_array", {index: b"[]"}, "input", "«weight_map» is missing")
    expect("folder/index_empty", {index: listing()}, "input", "lists no tensors")
    expect("folder/index_not_json", {index: b"{"}, "input", "not valid JSON")
    expect("folder/tensor_in_two_files", {"a.safetensors": good, "b.safetensors": good}, "input", "in another file of the folder too")
    expect("folder/pickles", {"pytorch_model.bin": b"PK\3\4"}, "unsupported", "holds PyTorch weights («pytorch_model.bin»)")
    expect("folder/gguf_inside", {"model.gguf": gguf()}, "unsupported", "name the file")
    expect("folder/no_weights", {"config.json": b"{}"}, "not_found", "there is no *.safetensors file")


def strangers() -> None:
    expect("stranger/lfs_pointer.gguf", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "input", "git lfs pull")
    expect("stranger/web_page.gguf", b"<!DOCTYPE html><html>", "input", "web page")
    expect("stranger/web_page_2.safetensors", b"<html></html>", "input", "web page")
    expect("stranger/checkpoint.bin", b"PK\3\4" + bytes(26), "unsupported", "PyTorch checkpoint")
    expect("stranger/pickle.pt", b"\x80\x02}q\0.", "unsupported", "Python pickle")
    expect("stranger/old_ggml.bin", b"tjgg" + u32(3), "unsupported", "GGML file")
    expect("stranger/zeros", bytes(64), "input", "neither GGUF nor safetensors")
    expect("stranger/one_byte", b"G", "input", "neither GGUF nor safetensors")


# --- sound files, for mutations to start from ----------------------------------------------------------------
def strings(*values: bytes) -> bytes:
    return array(KV_STRING, len(values), b"".join(text(v) for v in values))


def vocabulary(model: bytes, pieces: list[bytes], **more: bytes) -> bytes:
    """A GGUF with a tokenizer; `more` are further keys of tokenizer.ggml, type and value packed."""
    keys = [ARCHITECTURE, key(b"tokenizer.ggml.model", KV_STRING, text(model)),
            key(b"tokenizer.ggml.tokens", KV_ARRAY, strings(*pieces)),
            key(b"tokenizer.ggml.bos_token_id", KV_U32, u32(1)), key(b"tokenizer.ggml.eos_token_id", KV_U32, u32(2))]
    keys += [text(b"tokenizer.ggml." + name.encode()) + value for name, value in more.items()]
    return gguf(tuple(keys), (tensor(),), DATA)


def field(number: int, value: bytes) -> bytes:
    """A length-delimited field of protobuf, shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


def seeds() -> None:
    spm = [b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % i for i in range(16)] + [b"\xe2\x96\x81", b"a", b"b", b"ab", b"\xe2\x96\x81ab"]
    kinds = [2, 3, 3] + [6] * 16 + [1] * 5
    scores = struct.pack(f"<{len(spm)}f", *(-float(i) for i in range(len(spm))))
    types = struct.pack(f"<{len(spm)}i", *kinds)
    bpe = [b"<|a|>", b"<|b|>", b"<|c|>", b"a", b"b", b"ab", b"\xc4\xa0", b"\xc4\xa0ab", b"1", b"!"]
    f32_array, i32_array = u32(KV_ARRAY) + u32(6) + u64(len(spm)), u32(KV_ARRAY) + u32(5) + u64(len(spm))
    files = {
        "spm.gguf": vocabulary(b"llama", spm, scores=f32_array + scores, token_type=i32_array + types),
        "bpe.gguf": vocabulary(b"gpt2", bpe, pre=u32(KV_STRING) + text(b"gpt-2"),
                               merges=u32(KV_ARRAY) + strings(b"a b", b"\xc4\xa0 ab"),
                               token_type=u32(KV_ARRAY) + u32(5) + u64(10) + struct.pack("<10i", 3, 3, 3, *[1] * 7)),
        "tokenizer.model": b"".join(field(1, field(1, p) + b"\x15" + struct.pack("<f", -i) + b"\x18" + bytes([k]))
                                    for i, (p, k) in enumerate(zip(spm, kinds))) + field(2, b"\x18\x02\x98\x02\x01"),
        "unigram/tokenizer.model": b"".join(
            field(1, field(1, p) + b"\x15" + struct.pack("<f", -i) + b"\x18" + bytes([k]))
            for i, (p, k) in enumerate(zip(spm, kinds))) + field(2, b"\x18\x01") + field(3, field(1, b"identity")),
        "bpe/tokenizer.json": json.dumps({
            "version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": 0, "content": "<s>", "single_word": False, "lstrip": True, "rstrip": True,
                              "normalized": False, "special": True}],
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}, {
                "type": "Replace", "pattern": {"Regex": " +"}, "content": " "}]},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": "\\\\p{N}{1,3}|\\\\s+".replace("\\\\", "\\")}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}]},
            "post_processor": {"type": "TemplateProcessing",
                               "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                               "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}},
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                      "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3, "Ġ": 4, "Ġab": 5}, "merges": ["a b", ["Ġ", "ab"]]}}).encode(),
        "unigram/tokenizer.json": json.dumps({
            "version": "1.0", "added_tokens": [], "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True, "prepend_scheme": "always"},
            "post_processor": None,
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": True,
                      "vocab": [["<unk>", 0.0], ["▁", -1.0], ["a", -2.5], ["ab", -3.0], ["<0x41>", -9.0]]}}).encode(),
    }
    for name, content in files.items():
        file = ROOT / "seed" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def main() -> None:
    for part in ("gguf", "safetensors", "folder", "stranger", "seed"):
        shutil.rmtree(ROOT / part, ignore_errors=True)
    (ROOT / "gguf").mkdir(parents=True)
    for build in (gguf_header, gguf_keys, gguf_alignment, gguf_own_types, gguf_tensors, gguf_shards, safetensors_files, folders, strangers, seeds):
        build()
    (ROOT / "expected.tsv").write_text("".join("\t".join(line) + "\n" for line in EXPECTED))


main()
