"""Writes River's classifiers as pickles, equal ones as equal bytes, and reads those pickles and nothing else."""

import copyreg
import io
import pickle
from typing import Any

from river import proba, stats

_NAMES = frozenset(
    f"{module}.{name}"
    for module, names in {
        "builtins": "dict float int set frozenset",
        "collections": "Counter OrderedDict defaultdict deque",
        "copy": "deepcopy",
        "functools": "partial",
        "numpy": "dtype ndarray",
        "numpy._core.multiarray": "_reconstruct scalar",
        "numpy._core.numeric": "_frombuffer",
        "numpy.random._mt19937": "MT19937",
        "numpy.random._pcg64": "PCG64",
        "numpy.random._pickle": "__bit_generator_ctor __generator_ctor __randomstate_ctor",
        "random": "Random",
        "river._river_rust.drift": "AdaptiveWindowing",
        "river._river_rust.vectordict": "VectorDict euclidean_distance_dict euclidean_distance_tuple",
        "river.drift.adwin": "ADWIN",
        "river.drift.binary.ddm": "DDM",
        "river.drift.retrain": "DriftRetrainingClassifier",
        "river.dummy": "NoChangeClassifier PriorClassifier",
        "river.ensemble.bagging": "ADWINBaggingClassifier BaggingClassifier LeveragingBaggingClassifier",
        "river.ensemble.boosting": "ADWINBoostingClassifier AdaBoostClassifier BOLEClassifier",
        "river.ensemble.streaming_random_patches": "BaseSRPClassifier SRPClassifier",
        "river.facto.fm": "FMClassifier",
        "river.facto.hofm": "HOFMClassifier",
        "river.forest.adaptive_random_forest": "ARFClassifier BaseTreeClassifier",
        "river.forest.aggregated_mondrian_forest": "AMFClassifier",
        "river.linear_model.ad_predictor": "AdPredictor",
        "river.linear_model.alma": "ALMAClassifier",
        "river.linear_model.log_reg": "LogisticRegression",
        "river.linear_model.pa": "PAClassifier",
        "river.linear_model.perceptron": "Perceptron",
        "river.linear_model.softmax": "SoftmaxRegression",
        "river.metrics.accuracy": "Accuracy",
        "river.metrics.confusion": "ConfusionMatrix",
        "river.multiclass.ovo": "OneVsOneClassifier",
        "river.multiclass.ovr": "OneVsRestClassifier",
        "river.naive_bayes.bernoulli": "BernoulliNB",
        "river.naive_bayes.complement": "ComplementNB",
        "river.naive_bayes.gaussian": "GaussianNB GaussianNB._make_gaussian",
        "river.naive_bayes.multinomial": "MultinomialNB",
        "river.neighbors.ann.nn_vertex": "Vertex",
        "river.neighbors.ann.swinn": "SWINN",
        "river.neighbors.knn_classifier": "KNNClassifier",
        "river.optim.initializers": "Normal Zeros",
        "river.optim.losses": "CrossEntropy Hinge Log",
        "river.optim.schedulers": "Constant",
        "river.optim.sgd": "SGD",
        "river.proba.gaussian": "Gaussian",
        "river.stats.cov": "Cov",
        "river.stats.mean": "Mean",
        "river.stats.var": "Var",
        "river.tree.extremely_fast_decision_tree": "ExtremelyFastDecisionTreeClassifier",
        "river.tree.hoeffding_adaptive_tree_classifier": "HoeffdingAdaptiveTreeClassifier",
        "river.tree.hoeffding_tree_classifier": "HoeffdingTreeClassifier",
        "river.tree.last_classifier": "LASTClassifier",
        "river.tree.losses": "BinaryCrossEntropyLoss CrossEntropyLoss",
        "river.tree.mondrian.mondrian_tree_classifier": "MondrianTreeClassifier",
        "river.tree.mondrian.mondrian_tree_nodes": "MondrianBranchClassifier MondrianLeafClassifier",
        "river.tree.nodes.arf_htc_nodes": "RandomLeafMajorityClass RandomLeafNaiveBayes RandomLeafNaiveBayesAdaptive",
        "river.tree.nodes.branch": "NominalBinaryBranch NominalMultiwayBranch NumericBinaryBranch",
        "river.tree.nodes.efdtc_nodes": "EFDTLeafNaiveBayesAdaptive EFDTNumericBinaryBranch",
        "river.tree.nodes.hatc_nodes": "AdaBranchClassifier AdaLeafClassifier AdaNumBinaryBranchClassifier",
        "river.tree.nodes.htc_nodes": "LeafMajorityClass LeafNaiveBayes LeafNaiveBayesAdaptive",
        "river.tree.nodes.last_nodes": "LeafNaiveBayesAdaptiveWithDetector",
        "river.tree.nodes.sgt_nodes": "SGTLeaf",
        "river.tree.splitter.gaussian_splitter": "GaussianSplitter",
        "river.tree.splitter.sgt_quantizer": "StaticQuantizer",
        "river.tree.stochastic_gradient_tree": "SGTClassifier",
        "river.tree.utils": "GradHess GradHessStats",
        __name__: "_gaussian",
    }.items()
    for name in names.split()
)
_EARLIER_NAME = "services.learner.models.river_pickle._gaussian"
"""What pickles call ``_gaussian`` that were written before this file had its present place. Whoever moves it again adds
its present name here: snapshots hold it."""
_METHODS = frozenset(
    {
        "LeveragingBaggingClassifier._leveraging_bag",
        "PAClassifier._calc_tau_0",
        "PAClassifier._calc_tau_1",
        "PAClassifier._calc_tau_2",
    }
)


def _method(owner: object, name: str) -> Any:
    """Stands in for ``getattr``, with which pickle writes a bound method: the few of River's classifiers, no others."""
    if f"{type(owner).__name__}.{name}" not in _METHODS:
        raise pickle.UnpicklingError(f"the pickle names {type(owner).__name__}.{name[:100]}, which no model here needs")
    return getattr(owner, name)


def _gaussian(variance: stats.Var) -> proba.Gaussian:
    """A Gaussian without the generator that it draws samples with, which no classifier asks it to do.

    Each feature of each class has one, and each generator is 2.5 KB, seeded by the operating system: pickled, equal
    models would differ, and be 15 times as large.
    """
    gaussian = proba.Gaussian.__new__(proba.Gaussian)
    gaussian.__dict__.update(seed=None, _var=variance)
    return gaussian


class _Pickler(pickle.Pickler):
    """Writes equal strings as one string, so that bytes do not tell which of them were one object in memory."""

    dispatch_table = copyreg.dispatch_table | {proba.Gaussian: lambda gaussian: (_gaussian, (gaussian._var,))}

    def __init__(self, target: io.BytesIO) -> None:
        super().__init__(target, protocol=5)
        self._strings: dict[str, str] = {}

    def persistent_id(self, part: Any) -> str | None:
        return self._strings.setdefault(part, part) if type(part) is str else None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, text: str) -> str:
        return text

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return _method
        if f"{module}.{name}" == _EARLIER_NAME:
            return _gaussian
        if f"{module}.{name}" not in _NAMES:
            raise pickle.UnpicklingError(f"the pickle names {module[:100]}.{name[:100]}, which no model here needs")
        return super().find_class(module, name)


def dumps(model: Any) -> bytes:
    """The pickle of a classifier."""
    target = io.BytesIO()
    _Pickler(target).dump(model)
    return target.getvalue()


def loads(data: bytes) -> Any:
    """What was pickled. Raises UnpicklingError for any name beyond an exact list.

    The list is what River's classifiers that work without arguments consist of. It is the second fence: the first is
    the signature that the caller has verified.
    """
    return _Unpickler(io.BytesIO(data)).load()
