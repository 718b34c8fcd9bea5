"""Draws random networks, optimizers and data for tools/check_random_models.py and tools/make_golden_random.py.

A network is a list of nodes whose options are texts of Python, so that `script` can show it as the Keras program that it is. What
Keras refuses is drawn anew; all else is Keras's to allow. The same seed draws the same network. Layers that draw random numbers
in training (Dropout, SpatialDropout2D, GaussianNoise) get the rate 0.
"""
import random
from typing import NamedTuple

MOST_VALUES = 2500     # of a tensor, for an image
MOST_WEIGHTS = 4000    # of a layer
ACTIVATIONS = ("relu", "sigmoid", "tanh", "softmax", "elu", "gelu", "silu", "leaky_relu", "relu6", "selu", "celu", "softplus",
               "softsign", "squareplus", "soft_shrink", "sparse_plus", "tanh_shrink", "sparse_sigmoid", "exponential",
               "hard_sigmoid", "hard_silu", "hard_tanh", "hard_shrink", "mish", "log_sigmoid", "log_softmax", "linear")
ACTIVATION_LAYERS = ("layers.LeakyReLU(negative_slope=0.2)", "layers.ELU(alpha=0.5)", "layers.ReLU(max_value=6.0)",
                     "layers.ReLU(negative_slope=0.1)", "layers.Softmax()")


class Node(NamedTuple):
    cls: str                 # Keras's class; "Sequential" or "Functional" for a model inside
    options: dict            # keyword: Python text
    inputs: tuple            # nodes that it reads; -1: the model's input
    again: int = -1          # the node whose layer this is once more
    inner: "Network" = None  # of a model inside


class Network(NamedTuple):
    shape: tuple
    nodes: list
    functional: bool
    probabilities: bool = False  # the last layer ends in softmax

    def classes(self):
        """Names of all layer classes, those of models inside included."""
        found = []
        for node in self.nodes:
            found += [node.cls] + (node.inner.classes() if node.inner and node.again < 0 else [])
        return found


class Case(NamedTuple):
    network: Network
    optimizer: str    # as Keras and Convoy write it
    in_file: bool     # the optimizer is given by the file, not by --optimizer
    batch: int
    rows: int         # five steps, the last one of a part of a batch perhaps
    classes: int


# ---- Keras's objects ----

def evaluate(keras, text):
    return eval(text, {"__builtins__": {}, "True": True, "False": False, "None": None, "layers": keras.layers,
                       "initializers": keras.initializers, "regularizers": keras.regularizers,
                       "constraints": keras.constraints})  # only texts of this file come here


def make_layer(keras, node):
    if node.inner:
        return build(keras, node.inner, fresh=False)
    return getattr(keras.layers, node.cls)(**{key: evaluate(keras, text) for key, text in node.options.items()})


def build(keras, network, fresh=True):
    """The Keras model."""
    if fresh:
        keras.utils.clear_session()
    made = []
    for node in network.nodes:
        made.append(made[node.again] if node.again >= 0 else make_layer(keras, node))
    if not network.functional:
        return keras.Sequential([keras.Input(network.shape), *made])
    x = keras.Input(network.shape)
    tensors = []
    for node, layer in zip(network.nodes, made):
        inputs = [x if i < 0 else tensors[i] for i in node.inputs]
        tensors.append(layer(inputs if len(inputs) > 1 else inputs[0]))
    return keras.Model(x, tensors[-1])


def script(network, indent=""):
    """The network as a Keras program."""
    def name(i):
        return "x" if i < 0 else f"t{i}"
    lines = [f"{indent}x = keras.Input({network.shape})"]
    for i, node in enumerate(network.nodes):
        inputs = ", ".join(map(name, node.inputs))
        call = f"([{inputs}])" if len(node.inputs) > 1 else f"({inputs})"
        options = ", ".join(f"{key}={text}" for key, text in node.options.items())
        if node.inner and node.again < 0:
            lines.append(f"{indent}def model_{i}():")
            lines += script(node.inner, indent + "    ")
        made = f"model_{i}()" if node.inner else f"layers.{node.cls}({options})"
        if node.again >= 0:
            lines.append(f"{indent}{name(i)} = l{node.again}{call}")
        else:
            lines.append(f"{indent}l{i} = {made}; {name(i)} = l{i}{call}")
    kind = "keras.Model(x, " + name(len(network.nodes) - 1) + ")" if network.functional else "keras.Sequential of these"
    lines.append(f"{indent}return {kind}")
    return lines


# ---- drawing options ----

class Dice(random.Random):
    def pick(self, *values):
        return self.choice(values)

    def chance(self, p):
        return self.random() < p

    def some(self, p, **options):
        """Each of the options with probability p; else Keras's default."""
        return {key: text for key, text in options.items() if self.chance(p)}

    def pair(self, low, high):
        a, b = self.randint(low, high), self.randint(low, high)
        return str(a) if self.chance(0.5) else f"({a}, {b})"

    def number(self, low, high):
        return repr(round(self.uniform(low, high), 3))

    def activation(self):
        return self.choice(ACTIVATION_LAYERS) if self.chance(0.15) else repr(self.choice(ACTIVATIONS))

    def initializer(self, rank):
        kinds = ["'glorot_normal'", "'he_uniform'", "'he_normal'", "'lecun_normal'", "'lecun_uniform'", "'ones'",
                 "initializers.Constant(0.2)", "initializers.RandomNormal(mean=0.1, stddev=0.2)",
                 "initializers.RandomUniform(minval=-0.1, maxval=0.3, seed=3)", "initializers.TruncatedNormal(stddev=0.1)",
                 "initializers.VarianceScaling(scale=2.0, mode='fan_out', distribution='uniform')"]
        if rank > 1:
            kinds.append("initializers.Orthogonal(gain=0.5, seed=5)")
        if rank == 2:
            kinds.append("'identity'")
        return self.choice(kinds)

    def regularizer(self):
        return self.pick("'l1'", "'l2'", "'l1_l2'", f"regularizers.L1(l1={self.number(0.001, 0.01)})",
                         f"regularizers.L2(l2={self.number(0.001, 0.03)})", "regularizers.L1L2(l1=0.002, l2=0.01)")

    def constraint(self, rank):
        axes = self.sample(range(rank), self.randint(1, rank))
        axis = str(axes[0]) if len(axes) == 1 and self.chance(0.5) else str(axes)
        return self.pick("'non_neg'", "'unit_norm'", "'max_norm'", f"constraints.UnitNorm(axis={axis})",
                         f"constraints.MaxNorm(max_value={self.number(0.3, 1.5)}, axis={axis})",
                         f"constraints.MinMaxNorm(min_value=0.3, max_value=0.9, rate={self.pick('0.5', '1.0')}, axis={axis})")

    def weight(self, name, rank):
        """What may be said of a weight."""
        return {**self.some(0.2, **{f"{name}_initializer": self.initializer(rank)}),
                **self.some(0.15, **{f"{name}_regularizer": self.regularizer()}),
                **self.some(0.12, **{f"{name}_constraint": self.constraint(rank)})}

    def common(self):
        return self.some(0.08, trainable="False")


def strides_or_dilation(d, most_dilation=3):
    if d.chance(0.3):
        return {"strides": d.pair(1, 3)}
    return {"dilation_rate": d.pair(1, most_dilation)} if d.chance(0.25) else {}


def divisors(n):
    return [k for k in range(1, n + 1) if n % k == 0]


# ---- layers with weights ----

def conv2d(d, shape):
    groups = d.choice(divisors(shape[2])) if d.chance(0.3) else 1
    return {"filters": str(groups * d.randint(1, max(1, 8 // groups))), "kernel_size": d.pair(1, 4),
            **strides_or_dilation(d), **({"groups": str(groups)} if groups > 1 else {}),
            **d.some(0.5, padding="'same'", activation=d.activation()), **d.some(0.3, use_bias="False"),
            **d.weight("kernel", 4), **d.weight("bias", 1), **d.common()}


def depthwise_conv2d(d, shape):
    # TensorFlow computes equal strides only.
    steps = {"strides": str(d.randint(1, 3))} if d.chance(0.3) else strides_or_dilation(d)
    if "strides" in steps and "," in steps["strides"]:
        steps = {}
    return {"kernel_size": d.pair(1, 4), **steps, **d.some(0.4, depth_multiplier=str(d.randint(1, 3))),
            **d.some(0.5, padding="'same'", activation=d.activation()), **d.some(0.3, use_bias="False"),
            **d.weight("depthwise", 4), **d.weight("bias", 1), **d.common()}


def separable_conv2d(d, shape):
    options = depthwise_conv2d(d, shape)
    return {"filters": str(d.randint(1, 6)), **options, **d.weight("pointwise", 4)}


def conv2d_transpose(d, shape):
    steps = {"strides": d.pair(1, 3)} if d.chance(0.5) else {}
    if steps and d.chance(0.3):
        steps["output_padding"] = d.pair(0, 2)
    elif not steps and d.chance(0.3):
        steps["dilation_rate"] = str(d.randint(1, 2))
    return {"filters": str(d.randint(1, 6)), "kernel_size": d.pair(1, 4), **steps,
            **d.some(0.5, padding="'same'", activation=d.activation()), **d.some(0.3, use_bias="False"),
            **d.weight("kernel", 4), **d.weight("bias", 1), **d.common()}


def dense(d, shape):
    return {"units": str(d.randint(1, 10)), **d.some(0.6, activation=d.activation()), **d.some(0.3, use_bias="False"),
            **d.weight("kernel", 2), **d.weight("bias", 1), **d.common()}


def p_re_lu(d, shape):
    axes = sorted(d.sample(range(1, len(shape) + 1), d.randint(1, len(shape))))
    rank = len(shape)
    return {**d.some(0.6, shared_axes=str(axes)), **d.weight("alpha", rank), **d.common()}


def batch_normalization(d, shape):
    return {**d.some(0.2, axis=str(len(shape))), **d.some(0.4, momentum=d.number(0.5, 0.99), epsilon=d.number(0.001, 0.1)),
            **d.some(0.2, center="False", scale="False", moving_mean_initializer="'ones'",
                     moving_variance_initializer="initializers.Constant(0.5)"),
            **d.weight("gamma", 1), **d.weight("beta", 1), **d.common()}


def layer_normalization(d, shape):
    rank = len(shape)
    first = d.randint(1, rank)
    axes = d.sample(range(first, rank + 1), rank + 1 - first)
    axis = d.some(0.5, axis=str(axes))
    weights = len(axes) if axis else 1
    return {**axis, **d.some(0.4, epsilon=d.number(0.001, 0.1)), **d.some(0.2, center="False", scale="False"),
            **d.weight("gamma", weights), **d.weight("beta", weights), **d.common()}


def group_normalization(d, shape):
    return {"groups": str(d.choice(divisors(shape[-1]) + [-1])), **d.some(0.2, axis=str(len(shape))),
            **d.some(0.4, epsilon=d.number(0.001, 0.1)), **d.some(0.2, center="False", scale="False"),
            **d.weight("gamma", 1), **d.weight("beta", 1), **d.common()}


def normalization(d, shape):
    kind = d.pick("adapted", "number", "list")
    options = d.some(0.3, invert="True")
    if kind == "number":
        options.update(mean=d.number(-0.5, 0.5), variance=d.number(0.3, 2))
    elif kind == "list":
        options.update(mean=str([round(d.uniform(-0.5, 0.5), 3) for _ in range(shape[-1])]),
                       variance=str([round(d.uniform(0.3, 2), 3) for _ in range(shape[-1])]))
    elif d.chance(0.3):
        options.update(axis=str(d.pick(len(shape), [len(shape) - 1, len(shape)] if len(shape) > 1 else -1)))
    return options


# ---- layers without ----

def pooling(d, shape):
    return {"pool_size": d.pair(1, 3), **d.some(0.4, strides=d.pair(1, 3), padding="'same'")}


def zero_padding2d(d, shape):
    a = [d.randint(0, 2) for _ in range(4)]
    return d.pick({}, {"padding": str(a[0])}, {"padding": f"({a[0]}, {a[1]})"},
                  {"padding": f"(({a[0]}, {a[1]}), ({a[2]}, {a[3]}))"})


def cropping2d(d, shape):
    a = [d.randint(0, 2) for _ in range(4)]
    return d.pick({"cropping": "1"}, {"cropping": f"({a[0]}, {a[1]})"},
                  {"cropping": f"(({a[0]}, {a[1]}), ({a[2]}, {a[3]}))"})


def up_sampling2d(d, shape):
    return {"size": d.pair(1, 3), **d.some(0.5, interpolation="'bilinear'")}


def reshape(d, shape):
    h, w, c = shape
    k = d.choice(divisors(c))
    return {"target_shape": str(d.pick((w, h, c), (h * w, 1, c), (h, w * (c // k), k), (-1, w, c), (h, -1, k), (1, h, w * c)))}


def permute(d, shape):
    axes = list(range(1, len(shape) + 1))
    d.shuffle(axes)
    return {"dims": str(tuple(axes))}


def re_lu(d, shape):
    return d.some(0.35, max_value=d.pick("6.0", d.number(0.3, 2)), negative_slope=d.number(0, 0.5), threshold=d.number(0, 0.3))


def nothing(d, shape):
    return {}


def rescaling(d, shape):
    return {"scale": d.number(-2, 2), **d.some(0.5, offset=d.number(-1, 1))}


def rate_0(d, shape):
    return {"rate": "0.0", **d.some(0.2, seed="7")}


# (class, how often, options); images, then also rows of values.
IMAGE_LAYERS = [
    ("Conv2D", 5, conv2d), ("DepthwiseConv2D", 2, depthwise_conv2d), ("SeparableConv2D", 2, separable_conv2d),
    ("Conv2DTranspose", 2, conv2d_transpose), ("MaxPooling2D", 2, pooling), ("AveragePooling2D", 2, pooling),
    ("ZeroPadding2D", 1, zero_padding2d), ("Cropping2D", 1, cropping2d), ("UpSampling2D", 1.5, up_sampling2d),
    ("Reshape", 1, reshape), ("Permute", 1, permute), ("SpatialDropout2D", 0.5, rate_0),
]
ANY_LAYERS = [
    ("Dense", 1.5, dense), ("Activation", 1, lambda d, s: {"activation": repr(d.choice(ACTIVATIONS))}), ("ReLU", 1, re_lu),
    ("LeakyReLU", 0.7, lambda d, s: d.some(0.6, negative_slope=d.number(0, 0.6))),
    ("ELU", 0.7, lambda d, s: d.some(0.6, alpha=d.number(0.2, 2))), ("PReLU", 1, p_re_lu),
    ("Softmax", 0.4, lambda d, s: d.some(0.3, axis=str(len(s)))), ("BatchNormalization", 2, batch_normalization),
    ("LayerNormalization", 1, layer_normalization), ("GroupNormalization", 1, group_normalization),
    ("Normalization", 0.7, normalization), ("Rescaling", 0.7, rescaling), ("Dropout", 0.5, rate_0),
    ("GaussianNoise", 0.5, lambda d, s: {"stddev": "0.0"}),
]
# Those that leave the shape alone whatever it is.
KEEPING = ["Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "BatchNormalization", "LayerNormalization", "GroupNormalization",
           "Rescaling"]
MERGES = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]
TABLE = {name: options for name, _, options in IMAGE_LAYERS + ANY_LAYERS}


# ---- drawing networks ----

class Artist:
    """Appends nodes, and the layers themselves, whose shapes say what can come next."""

    def __init__(self, keras, dice, shape):
        self.keras, self.d, self.input_shape = keras, dice, shape
        self.x = keras.Input(shape)
        self.nodes, self.layers, self.tensors = [], [], []

    def tensor(self, i):
        return self.x if i < 0 else self.tensors[i]

    def shape(self, i):
        return tuple(self.tensor(i).shape[1:])

    def append(self, node):
        """The node's number; None when Keras refuses it, or it is too large."""
        inputs = [self.tensor(i) for i in node.inputs]
        try:
            layer = self.layers[node.again] if node.again >= 0 else make_layer(self.keras, node)
            y = layer(inputs if len(inputs) > 1 else inputs[0])
        except (ValueError, NotImplementedError, ZeroDivisionError, TypeError):
            return None
        count = 1
        for n in y.shape[1:]:
            count *= n
        if not 0 < count <= MOST_VALUES or layer.count_params() > MOST_WEIGHTS:
            return None
        self.nodes.append(node)
        self.layers.append(layer)
        self.tensors.append(y)
        return len(self.nodes) - 1

    def back(self, count):
        del self.nodes[count:], self.layers[count:], self.tensors[count:]

    def layer(self, name, at, **given):
        return self.append(Node(name, {**TABLE.get(name, nothing)(self.d, self.shape(at)), **given}, (at,)))

    def any_layer(self, at):
        rows = (IMAGE_LAYERS if len(self.shape(at)) == 3 else []) + ANY_LAYERS
        name = self.d.choices([r[0] for r in rows], [r[1] for r in rows])[0]
        return self.layer(name, at)

    def keeping_layer(self, at):
        """One that leaves height and width alone."""
        name = self.d.choice(KEEPING + ["Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense"])
        given = {"padding": "'same'", "strides": "1"} if "Conv2D" in name else {}
        return self.layer(name, at, **given)

    def chain(self, at, length, step):
        for _ in range(length):
            at = self.attempt(step, at)
        return at

    def attempt(self, step, at):
        """A few tries; where all fail, things stay as they are."""
        for _ in range(8):
            count = len(self.nodes)
            made = step(at)
            if made is not None:
                return made
            self.back(count)
        return at

    # blocks of functional models: each returns its last node or None

    def residual(self, at):
        shape = self.shape(at)
        end = self.chain(at, self.d.randint(1, 2), self.keeping_layer)
        if self.shape(end) != shape and len(shape) == 3:
            end = self.append(Node("Conv2D", {"filters": str(shape[2]), "kernel_size": "1"}, (end,)))
        if end is None or end == at or self.shape(end) != shape:
            return None
        return self.append(Node(self.d.choice(MERGES), {}, (at, end) if self.d.chance(0.5) else (end, at)))

    def branches(self, at):
        ends = [self.chain(at, self.d.randint(1, 2), self.keeping_layer) for _ in range(self.d.randint(2, 3))]
        if len(set(ends)) < len(ends):
            return None
        axis = self.d.pick("-1", "-1", str(self.d.randint(1, len(self.shape(at)))))
        return self.append(Node("Concatenate", {} if axis == "-1" else {"axis": axis}, tuple(ends)))

    def excitation(self, at):
        """A weight for each channel, spread over the image."""
        if len(self.shape(at)) != 3:
            return None
        pooled = self.append(Node(self.d.pick("GlobalAveragePooling2D", "GlobalMaxPooling2D"), {"keepdims": "True"}, (at,)))
        gate = self.append(Node("Dense", {"units": str(self.shape(at)[2]), "activation": "'sigmoid'"}, (pooled,)))
        return self.append(Node(self.d.pick("Multiply", "Add", "Maximum"), {}, (at, gate)))

    def shared(self, at):
        """One layer twice: after itself, or in two branches of unequal size."""
        channels = str(self.shape(at)[-1])
        name = self.d.pick("Conv2D", "Dense", "BatchNormalization") if len(self.shape(at)) == 3 else "Dense"
        given = {"Conv2D": {"filters": channels, "padding": "'same'", "strides": "1", "groups": "1"},
                 "Dense": {"units": channels}}.get(name, {})
        first = self.layer(name, at, **given)
        if first is None:
            return None
        if self.d.chance(0.5):
            return self.append(Node(name, {}, (first,), again=first))
        between = self.attempt(self.keeping_layer, at)
        second = self.append(Node(name, {}, (between,), again=first)) if between != at else None
        if second is None or self.shape(second) != self.shape(first):
            return None
        return self.append(Node(self.d.choice(MERGES), {}, (first, second)))

    def nested(self, at):
        """A model inside, chain or graph, used once or twice."""
        inside = Artist(self.keras, self.d, self.shape(at))
        functional = self.d.chance(0.5)
        end = inside.chain(-1, self.d.randint(1, 3), inside.keeping_layer)
        if functional:
            end = inside.attempt(inside.residual, end)
        if end < 0:
            return None
        inner = Network(inside.input_shape, inside.nodes, functional or any(len(n.inputs) > 1 for n in inside.nodes))
        kind = "Functional" if inner.functional else "Sequential"
        first = self.append(Node(kind, {}, (at,), inner=inner))
        if first is None or self.shape(first) != self.shape(at) or self.d.chance(0.5):
            return first
        return self.append(Node(kind, {}, (first,), again=first, inner=inner))

    def block(self, at):
        return self.d.pick(self.residual, self.branches, self.excitation, self.shared, self.nested)(at)

    # the end: one value a class

    def finish(self, at, classes):
        if len(self.shape(at)) == 3 and self.d.chance(0.2):
            at = self.append(Node("Conv2D", {"filters": str(classes), "kernel_size": "1"}, (at,)))
            return self.append(Node(self.d.pick("GlobalAveragePooling2D", "GlobalMaxPooling2D"), {}, (at,)))
        kinds = ["Flatten", "Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D"]
        at = self.append(Node(self.d.choice(kinds) if len(self.shape(at)) == 3 else "Flatten", {}, (at,)))
        at = self.chain(at, self.d.randint(0, 2), self.any_layer)
        options = {**self.d.weight("kernel", 2), **self.d.some(0.2, use_bias="False"), "units": str(classes)}
        return self.append(Node("Dense", options, (at,)))

    def probabilities(self, at):
        kind = self.d.pick("Softmax", "Activation", "Dense")
        if kind == "Dense" and self.nodes[-1].cls == "Dense":
            node = self.nodes[-1]
            self.back(len(self.nodes) - 1)
            return self.append(node._replace(options={**node.options, "activation": "'softmax'"}))
        return self.append(Node("Softmax", {}, (at,)) if kind == "Softmax" else
                           Node("Activation", {"activation": "'softmax'"}, (at,)))


def draw_network(keras, dice, classes):
    keras.utils.clear_session()
    artist = Artist(keras, dice, (dice.randint(4, 11), dice.randint(4, 11), dice.randint(1, 4)))
    functional, at = dice.chance(0.5), -1
    for _ in range(dice.randint(2, 5)):
        at = artist.attempt(artist.block if functional and dice.chance(0.5) else artist.any_layer, at)
    at = artist.finish(at, classes)
    probabilities = at is not None and dice.chance(0.35)
    if probabilities:
        at = artist.probabilities(at)
    if at is None or at != len(artist.nodes) - 1:
        return None
    functional = functional or any(n.again >= 0 or n.inner or len(n.inputs) > 1 for n in artist.nodes)
    return Network(artist.input_shape, artist.nodes, functional, probabilities)


# ---- drawing the rest ----

def draw_schedule(d, rate):
    return d.pick(f"ExponentialDecay(initial_learning_rate={rate}, decay_steps=2, decay_rate=0.7)",
                  f"ExponentialDecay(initial_learning_rate={rate}, decay_steps=2, decay_rate=0.5, staircase=True)",
                  f"PiecewiseConstantDecay(boundaries=[1, 3], values=[{rate}, 0.01, 0.005])",
                  f"PolynomialDecay(initial_learning_rate={rate}, decay_steps=4, end_learning_rate=0.001, power=2.0)",
                  f"InverseTimeDecay(initial_learning_rate={rate}, decay_steps=2, decay_rate=0.5)",
                  f"CosineDecay(initial_learning_rate={rate}, decay_steps=6)",
                  f"CosineDecay(initial_learning_rate=0.0, decay_steps=4, warmup_target={rate}, warmup_steps=2)",
                  f"CosineDecayRestarts(initial_learning_rate={rate}, first_decay_steps=3)")


def draw_optimizer(d):
    """A text that Keras and Convoy both read."""
    base = {}
    if d.chance(0.25):
        base = d.pick({"clipnorm": d.number(0.1, 1)}, {"global_clipnorm": d.number(0.1, 1)}, {"clipvalue": d.number(0.02, 0.2)})
    base.update(d.some(0.1, weight_decay=d.number(0.001, 0.1)))
    if d.chance(0.1):
        base.update(use_ema="True", ema_momentum=d.number(0.5, 0.9), **d.some(0.5, ema_overwrite_frequency="2"))
    base.update(d.some(0.08, gradient_accumulation_steps="2"))
    # A large epsilon keeps what is but rounding from becoming steps of full size.
    epsilon = d.some(0.6, epsilon=d.pick("1e-05", "0.0001", "0.001", "0.01"))
    betas = d.some(0.3, beta_1=d.number(0.5, 0.95), beta_2=d.number(0.9, 0.999))
    rate = d.number(0.002, 0.03)
    name, options = d.choice([
        ("SGD", {"learning_rate": d.number(0.02, 0.3), **d.some(0.5, momentum=d.number(0.3, 0.95), nesterov="True")}),
        ("Adam", {"learning_rate": rate, **betas, **epsilon, **d.some(0.3, amsgrad="True")}),
        ("AdamW", {"learning_rate": rate, **betas, **epsilon, "weight_decay": d.number(0.001, 0.1)}),
        ("RMSprop", {"learning_rate": rate, **epsilon, **d.some(0.4, rho=d.number(0.5, 0.95), momentum=d.number(0.3, 0.9),
                                                              centered="True")}),
        ("Adagrad", {"learning_rate": d.number(0.02, 0.1), **epsilon,
                     **d.some(0.5, initial_accumulator_value=d.number(0.01, 0.5))}),
        ("Adadelta", {"learning_rate": d.number(0.3, 1), **epsilon, **d.some(0.4, rho=d.number(0.8, 0.95))}),
        ("Nadam", {"learning_rate": rate, **betas, **epsilon}),
        ("Lamb", {"learning_rate": rate, **betas, **epsilon}),
        ("Lion", {"learning_rate": d.number(0.001, 0.01), **d.some(0.3, beta_1=d.number(0.5, 0.95))}),
    ])
    if "nesterov" in options and "momentum" not in options:
        del options["nesterov"]
    if d.chance(0.15):
        options["learning_rate"] = draw_schedule(d, options["learning_rate"])
    options = {**base, **options}
    return f"{name}({', '.join(f'{key}={text}' for key, text in options.items())})"


def make_optimizer(keras, text):
    names = {name: getattr(keras.optimizers, name) for name in
             ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Nadam", "Lamb", "Lion")}
    known = {**vars(keras.optimizers.schedules), **names, "__builtins__": {}, "True": True}
    return eval(text, known)  # only texts of draw_optimizer come here


def draw(keras, seed, attempt):
    """The case of a seed; None when this attempt came to nothing."""
    d = Dice(f"{seed} {attempt}")
    classes, batch = d.randint(2, 6), d.randint(1, 7)
    network = draw_network(keras, d, classes)
    if network is None:
        return None
    rows = 4 * batch + d.randint(1, batch)
    return Case(network, draw_optimizer(d), d.chance(0.5), batch, rows, classes)
