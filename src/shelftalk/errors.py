"""Every error that shelftalk raises on purpose, by what happens next.

ShelftalkError
├── RetryableError        try again with backoff: the outside world was slow or away
│   ├── QueueFullError        the engine's bounded queue has no place (back-pressure)
│   ├── DeliveryError         the broker did not confirm an output
│   └── StepFailedError       one forward pass failed; its requests fail, the worker goes on
├── BadInputError         dead letter: the event itself is wrong and will be wrong again
├── DeadlineExceededError the caller's deadline came first; the next rung answers
├── CancelledRequestError nobody wants the answer any more
├── PromptTooLongError    the prompt and the answer do not fit the model
└── FatalError            stop the worker: going on would do harm
    ├── ConfigError           a setting is missing or absurd
    ├── BrokerError           the broker, or a topic on it, is not as it must be
    ├── ModelFolderError      the model folder is corrupt, mismatched or unsupported
    ├── WeightsUnavailableError  the base weights could not be fetched or do not match their hash
    └── GpuUnavailableError   CUDA was asked for and the session is not on the GPU
"""


class ShelftalkError(Exception):
    """The root of them all."""


class RetryableError(ShelftalkError):
    """The same call may succeed later."""


class QueueFullError(RetryableError):
    """A bounded queue has no place left."""


class DeliveryError(RetryableError):
    """An output was not confirmed by the broker."""


class StepFailedError(RetryableError):
    """A forward pass of the model failed."""


class BadInputError(ShelftalkError):
    """An input event that goes to the dead-letter topic.

    Attributes:
        reason: a short stable code, such as ``"not_json"``, fit for a metric label.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class DeadlineExceededError(ShelftalkError):
    """The deadline passed before an answer was ready."""


class CancelledRequestError(ShelftalkError):
    """The request was cancelled before it finished."""


class PromptTooLongError(ShelftalkError):
    """Prompt and answer together exceed the model's limit."""


class FatalError(ShelftalkError):
    """The worker must stop."""


class ConfigError(FatalError):
    """A setting is missing or cannot be right."""


class BrokerError(FatalError):
    """The broker or a topic is not as it must be."""


class ModelFolderError(FatalError):
    """A model folder is corrupt, mismatched or unsupported."""


class WeightsUnavailableError(FatalError):
    """The base weights could not be fetched, or are not the ones expected."""


class GpuUnavailableError(FatalError):
    """CUDA was asked for, but the session would not run on the GPU."""
