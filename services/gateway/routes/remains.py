"""What remains in the log of what a command removes, and for how long: the answer to the command says it."""

from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.view.live import DELETE, FORGET
from prequel.shared.log.base import EXAMPLES, IMAGES, PREDICTIONS, TOPICS
from prequel.shared.log.erasable import ErasableLog
from prequel.shared.retention.policy import FOREVER_TEXT

ERASED = "The stream's records are being erased from the log."
RETAINED = "The stream's records stay in Kafka until retention ends them."
IMAGES_ERASED = "The images' records are erased from the log once the stream has caught up."


def remains(gateway: Gateway, do: str) -> dict[str, str]:
    """The member ``records`` of the answer; nothing where the command removes nothing."""
    erases = isinstance(gateway.log, ErasableLog)
    if do == DELETE:
        return {"records": ERASED if erases else RETAINED}
    if do == FORGET:
        return {"records": IMAGES_ERASED if erases else _images_retained(gateway)}
    return {}


def _images_retained(gateway: Gateway) -> str:
    """When Kafka has nothing of forgotten images any more: as its topics are set, where that was measured already."""
    usage = gateway.usage()
    kept = {topic: str(gateway.settings.retention_of(topic)) for topic in TOPICS}
    kept |= {topic.topic: topic.retention for topic in usage.topics} if usage else {}
    others = f"features and labels are kept {_kept(kept[EXAMPLES])}, predictions {_kept(kept[PREDICTIONS])}"
    if gateway.settings.forgettable:
        return f"Nobody can read the images once the stream has caught up: their keys are deleted. In Kafka {others}."
    return f"In Kafka the images are kept {_kept(kept[IMAGES])}, {others} (PREQUEL_FORGETTABLE was not set)."


def _kept(retention: str) -> str:
    return "for ever" if retention == FOREVER_TEXT else f"for {retention}"
