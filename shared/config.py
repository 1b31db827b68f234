"""Every setting, one row each: name, type, default, limits, meaning."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from prequel.shared.errors import PrequelError
from prequel.shared.model_specs import split_outside
from prequel.shared.retention import policy
from prequel.shared.retention.policy import FOREVER, Retention

PREFIX = "PREQUEL_"

REMOVED = {
    "KAFKA_RETENTION_HOURS": "set PREQUEL_RETENTION_IMAGES, _EXAMPLES, _PREDICTIONS and _DEAD_LETTERS instead: 12h, "
    "30d, 50GB or forever",
}
"""Settings of earlier versions, and what to set instead. They stop the start: an operator who set one relies on it."""


class ConfigError(PrequelError):
    """A setting is wrong: the message names it, its value and the remedy."""


def is_loopback(host: str) -> bool:
    """Whether a service that listens on ``host`` can be reached only from this machine."""
    return host in ("127.0.0.1", "localhost", "::1")


class Settings(BaseModel):
    """All settings of all services: each is the environment variable PREQUEL_<NAME IN CAPITALS>.

    One model, whichever service reads it: so all processes of a system can share one environment file. A new setting is
    one row here; its description is the line in the documentation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # Where the data is. Everything else may be changed between two starts; of these, another value is another system.
    data: Path = Field(Path("prequel-data"), description="folder of the embedded log and store")
    cache: str = Field("", description="folder of converted backbones; empty: ~/.cache/prequel")
    log: str = Field("", description="sqlite:///DIR or kafka://host:port,...; empty: DATA/log")
    store: str = Field("", description="sqlite:///FILE or redis://...; empty: DATA/store.sqlite")

    # Where the services listen, and who may ask them.
    host: str = Field("127.0.0.1", description="address the gateway listens on")
    port: int = Field(8000, ge=0, le=65535, description="port the gateway listens on; 0: any free one")
    ops_host: str = Field("127.0.0.1", description="address of the extractor's and learner's health and metrics")
    ops_port: int = Field(0, ge=0, le=65535, description="port of the same; 0: any free one")
    advertise: str = Field(
        "",
        description="host:port at which gateways reach this learner or extractor; empty: OPS_HOST (this machine's name "
        "where that is 0.0.0.0):OPS_PORT",
    )
    api_keys: SecretStr = Field(
        SecretStr(""),
        description="comma-separated keys that clients must send; required by every service that listens beyond "
        "loopback",
    )
    public_url: str = Field(
        "",
        description="address that browsers see if a proxy stands before the gateway: https://prequel.example.org",
    )

    # The extractor. Backbone, weights, pooling and image size are for new streams: a stream keeps what it began with.
    backbone: str = Field(
        "compact",
        description="the backbone of new streams: compact, or a keras.applications model (resnet50, mobilenetv2, ...)",
    )
    backbones_loaded: int = Field(
        4,
        ge=1,
        le=64,
        description="backbones in memory at one time: those that images wait for, then the most recently used; "
        "one more while it replaces another",
    )
    weights: str = Field(
        "imagenet",
        description="imagenet, a local weights file of that backbone (.weights.h5, .h5, .keras), or a folder of such "
        "files with the backbones' names: resnet50.weights.h5",
    )
    pooling: str = Field(
        "avg",
        pattern=r"^[A-Za-z0-9_.-]+( *, *[A-Za-z0-9_.-]+)*$",
        description="how feature maps become vectors: avg, max, none (flattened), multi (a deep and the last map, "
        "averaged), or layers by name: block_6_expand_relu,last",
    )
    image_size: int = Field(0, ge=0, le=4096, description="side of the backbone's input in pixels; 0: its own")
    engine: Literal["auto", "keras", "openvino"] = Field(
        "auto", description="what runs the backbone; auto: Keras on a GPU, else OpenVINO"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="arithmetic of the backbone")
    threads: int = Field(0, ge=0, le=1024, description="threads of the OpenVINO engine; 0: one per core")
    batch: int = Field(32, ge=1, le=1024, description="maximum number of images in one inference")
    batch_wait: float = Field(0.004, ge=0, le=1, description="seconds to wait for more images once one is there")
    decode_threads: int = Field(0, ge=0, le=256, description="threads that decode images; 0: one per core")
    max_pixels: int = Field(64_000_000, ge=1024, le=178_000_000, description="largest image in pixels")
    max_image_bytes: int = Field(16 * 2**20, ge=1024, description="largest encoded image in bytes")

    # The learner: what it learns. A change is written to the log as an event, so that a replay gives the same state.
    models: str = Field("mix,logistic", description="comma-separated; the first is the champion")
    seed: int = Field(0, ge=0, description="seed of every model that draws random numbers")
    window: int = Field(50_000, ge=1, le=10_000_000, description="examples of a stream that a label can still reach")
    duplicates: int = Field(200_000, ge=0, le=10_000_000, description="ids of a stream remembered to drop duplicates")
    cache_examples: int = Field(20_000, ge=1, description="maximum number of feature vectors of a partition in memory")
    cache_bytes: int = Field(512 * 2**20, ge=2**20, description="maximum bytes of the same")
    max_streams: int = Field(1_000, ge=1, description="streams in one partition")
    max_labels: int = Field(1_000, ge=1, description="classes in one stream")
    max_waiting: int = Field(
        10_000, ge=0, description="labels of one stream that wait for their images; of a partition, for streams"
    )
    max_model_bytes: int = Field(
        384 * 2**20,
        ge=2**20,
        description="bytes of a partition's models at which it accepts no more streams; existing ones go on, and grow",
    )
    unknown_probability: float = Field(
        0.0, ge=0, le=1, description="the champion abstains below this probability; 0: never"
    )
    unknown_distance: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="the champion abstains this many class variances from every class mean; 0: never",
    )
    set_level: float = Field(
        0.0,
        description="how often the set of labels beside a prediction holds the truth, 0.5 to 0.999; 0: 0.9, or 0.99 "
        "where the champion is right in more than 92 % of cases",
    )
    accuracy_window: int = Field(1_000, ge=1, le=1_000_000, description="scored examples in the windowed accuracy")

    rebuild_at: str = Field(
        "",
        description="time of day (UTC, like 03:30) at which models learn corrected labels again that they could not "
        "correct exactly; empty: only when a command says so",
    )

    # Snapshots: how much a crash makes the learner replay, and what they may take.
    checkpoint_seconds: float = Field(
        5.0, gt=0, description="seconds between snapshots; more where they would take over 10 % of the time"
    )
    checkpoint_events: int = Field(20_000, ge=1, description="events between snapshots; more in the same case")
    snapshot_key: SecretStr = Field(SecretStr(""), description="signs pickled River models; needed for river: models")
    snapshot_max_bytes: int = Field(4 * 2**30, ge=2**20, description="largest snapshot of a partition in bytes")
    incarnation: int = Field(0, ge=0, description="raise by one after deleting a consumer group")
    group: str = Field("prequel", description="prefix of the consumer groups' names")

    # What a process logs, and what a gateway shows.
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="lowest level that is logged")
    log_format: Literal["text", "json"] = Field("text", description="lines for people, or one JSON object a line")
    view_predictions: int = Field(
        50_000,
        ge=1,
        description="predictions of a stream to show; when it starts, a gateway reads this many of each partition",
    )

    # How long the log keeps its records.
    retention_images: str = Field(
        "",
        description="how long images are kept: 12h, 30d, 50GB (the whole topic) or forever; empty: embedded 10GB, on "
        "Kafka forever",
    )
    retention_examples: str = Field("", description="the same of features and labels; empty: embedded 10GB")
    retention_predictions: str = Field("", description="the same of predictions and outcomes; empty: embedded 1GB")
    retention_dead_letters: str = Field("", description="the same of dead letters; empty: embedded 1GB")

    forgettable: bool = Field(
        False,
        description="on Kafka: encrypt images, each with a key in the store, so that `example.forget` makes them "
        "unreadable; the embedded log erases them and needs no key",
    )

    # Servers: how Kafka and Redis are reached, and what topics are created.
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="security protocol of the brokers"
    )
    kafka_sasl: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field("", description="SASL mechanism")
    kafka_user: str = Field("", description="SASL user")
    kafka_password: SecretStr = Field(SecretStr(""), description="SASL password")
    kafka_ca: str = Field("", description="file of the CA that signed the brokers' certificates")
    kafka_cert: str = Field("", description="file of this client's certificate")
    kafka_key: str = Field("", description="file of this client's private key")
    kafka_topic_prefix: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        description="put before the topics' names: two Prequels share a cluster, each with a PREQUEL_GROUP of its own",
    )
    kafka_client_id: str = Field(
        "prequel",
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="name of this process in the brokers' logs and quotas",
    )
    kafka_partitions: int = Field(4, ge=1, description="partitions of topics that `prequel topics` creates")
    kafka_replication: int = Field(1, ge=1, description="replication factor of the same")
    kafka_min_insync: int = Field(1, ge=1, description="min.insync.replicas of the same")
    kafka_session: float = Field(
        10.0, ge=0.5, le=300, description="seconds of silence after which a dead process's partitions go to others"
    )
    redis_ca: str = Field("", description="file of the CA that signed Redis's certificate")

    @field_validator("models")
    @classmethod
    def _models_named(cls, value: str) -> str:
        names = split_outside(value, ",")
        if not all(names) or len(set(names)) < len(names):
            raise ValueError("name at least one model, each once, separated by commas")
        return ",".join(names)

    @field_validator("rebuild_at")
    @classmethod
    def _time_of_day(cls, value: str) -> str:
        if value and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
            raise ValueError("use a time of day from 00:00 to 23:59 (UTC), or leave it empty")
        return value

    @field_validator("set_level")
    @classmethod
    def _level_of_sets(cls, value: float) -> float:
        if value != 0 and not 0.5 <= value <= 0.999:  # Nor where it is not a number.
            raise ValueError("use a level from 0.5 to 0.999 (90 % is 0.9), or 0 for an automatic one")
        return value

    @field_validator("retention_images", "retention_examples", "retention_predictions", "retention_dead_letters")
    @classmethod
    def _retention_parsed(cls, value: str) -> str:
        if value:
            policy.parse(value)
        return value

    @field_validator("log")
    @classmethod
    def _log_scheme(cls, value: str) -> str:
        broker = r"(\[[0-9a-fA-F:.]+\]|[^\s:,/\[\]]+)(:\d{1,5})?"
        if value and not re.fullmatch(rf"sqlite:///.+|kafka://{broker}(,{broker})*/?", value):
            raise ValueError("use sqlite:///DIR or kafka://host:port[,host:port...]")
        return value

    @field_validator("public_url")
    @classmethod
    def _public_origin(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]@?#]+)(:\d{1,5})?/?", value):
            raise ValueError("use https://HOST or https://HOST:PORT, without a path")
        return value.rstrip("/").lower()

    @field_validator("store")
    @classmethod
    def _store_scheme(cls, value: str) -> str:
        if value and not re.match(r"(sqlite:///.|rediss?://.)", value):
            raise ValueError("use sqlite:///FILE or redis://[user:password@]host:port[/db]")
        return value

    @model_validator(mode="after")
    def _keys_beyond_loopback(self) -> "Settings":
        for name, host in (("HOST", self.host), ("OPS_HOST", self.ops_host)):
            if not is_loopback(host) and not self.keys:
                raise ValueError(
                    f"{PREFIX}{name}={host} can be reached from other machines: set {PREFIX}API_KEYS to a secret "
                    f"of your own, or {PREFIX}{name} to 127.0.0.1"
                )
        if self.public_url and not self.keys:
            raise ValueError(
                f"{PREFIX}PUBLIC_URL={self.public_url} lets others in: set {PREFIX}API_KEYS to a secret of your own"
            )
        return self

    @property
    def keys(self) -> list[str]:
        """The API keys that clients may use, separated by commas or line ends. Without any, no key is needed."""
        return [key.strip() for key in re.split(r"[,\n]", self.api_keys.get_secret_value()) if key.strip()]

    @property
    def model_names(self) -> list[str]:
        """The models' names, the champion first."""
        return split_outside(self.models, ",")

    @property
    def log_url(self) -> str:
        """The log's address, also where it is the default."""
        return self.log or f"sqlite:///{self.data / 'log'}"

    def retention_of(self, topic: str) -> Retention:
        """How long a topic's records are kept. By default the embedded log has a limit, and Kafka has none."""
        if value := getattr(self, f"retention_{topic.replace('-', '_')}"):
            return policy.parse(value)
        return FOREVER if self.log_url.startswith("kafka://") else policy.EMBEDDED_DEFAULTS[topic]

    @property
    def store_url(self) -> str:
        """The store's address, also where it is the default."""
        return self.store or f"sqlite:///{self.data / 'store.sqlite'}"


def without_secrets(url: str) -> str:
    """An address without user and password, and without parameters, which may contain a password too."""
    parts = urlsplit(url)
    return url if parts.scheme == "sqlite" else f"{parts.scheme}://{parts.hostname}:{parts.port or 6379}{parts.path}"
