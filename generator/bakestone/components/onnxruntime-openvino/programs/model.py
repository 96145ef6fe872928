"""Runs y = Relu(x W + b) as an ONNX model on the provider named by the argument, and checks the numbers.

The model's bytes are written here by hand (protobuf wire format, onnx.proto of the ONNX specification), so that
nothing but ONNX Runtime and NumPy is needed. Ends with an error when a part of it ran on another provider.
"""

import json
import sys

import numpy
import onnxruntime

FLOAT, OPSET, IR = 1, 13, 7  # TensorProto.FLOAT; versions that every ONNX Runtime since 1.5 reads


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number, value):
    """A field of a message: a varint for a number, else text or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def node(kind, inputs, output):
    return b"".join(field(1, name) for name in inputs) + field(2, output) + field(3, kind) + field(4, kind)


def tensor(name, array):
    dims = b"".join(field(1, size) for size in array.shape)
    return dims + field(2, FLOAT) + field(8, name) + field(9, array.astype("<f4").tobytes())


def value(name, shape):
    dims = b"".join(field(1, field(1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, dims)))


def model(weights, bias, rows):
    graph = field(1, node("MatMul", ["x", "w"], "xw"))
    graph += field(1, node("Add", ["xw", "b"], "sum"))
    graph += field(1, node("Relu", ["sum"], "y"))
    graph += field(2, "small")
    graph += field(5, tensor("w", weights)) + field(5, tensor("b", bias))
    graph += field(11, value("x", (rows, weights.shape[0]))) + field(12, value("y", (rows, weights.shape[1])))
    return field(1, IR) + field(7, graph) + field(8, field(2, OPSET))


provider = sys.argv[1]
assert provider in onnxruntime.get_available_providers(), onnxruntime.get_available_providers()
weights = numpy.array([[1, -1], [0.5, 2], [-3, 0.25]], "f4")
bias = numpy.array([0.5, -4], "f4")
x = numpy.array([[1, 2, -3], [-2, 4, 1]], "f4")
wanted = numpy.array([[11.5, 0], [0, 6.25]], "f4")  # by hand: [11.5, -1.75] and [-2.5, 6.25], and Relu makes negatives 0
options = onnxruntime.SessionOptions()
options.enable_profiling = True
session = onnxruntime.InferenceSession(model(weights, bias, len(x)), options, providers=[provider])
y = session.run(["y"], {"x": x})[0]
assert numpy.allclose(y, wanted), y
with open(session.end_profiling()) as file:
    ran = {event["args"]["provider"] for event in json.load(file) if event.get("args", {}).get("provider")}
assert ran == {provider}, ran
