"""Configurations of channels: checked by a model, secrets masked on the way out and kept on the way in."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from services.common.errors import FieldError, InvalidArgumentError
from services.notifier.domain.channels import MASK


class ChannelConfig(BaseModel):
    """What a kind's configuration holds; fields of type SecretStr are never shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, strict=True)


ConfigT = TypeVar("ConfigT", bound=ChannelConfig)


class ConfigModel(Generic[ConfigT]):
    """Checks, masks and reads configurations of one model."""

    def __init__(self, model: type[ConfigT]) -> None:
        self._model = model

    def check(self, config: Mapping[str, Any], previous: Mapping[str, Any] | None) -> dict[str, Any]:
        """The configuration to store, secrets in the clear; a masked secret is the one in `previous`.

        Raises:
            InvalidArgumentError: with each wrong field.
        """
        merged = dict(config)
        problems = []
        for name in self._secrets():
            if merged.get(name) != MASK:
                continue
            if previous is None or previous.get(name) is None:
                problems.append(FieldError(f"config.{name}", "is masked, but there is no secret to keep"))
            else:
                merged[name] = previous[name]
        try:
            read = self._model.model_validate(merged)
        except ValidationError as invalid:
            for error in invalid.errors():
                name = ".".join(str(part) for part in ("config", *error["loc"]))
                problems.append(FieldError(name, error["msg"].removeprefix("Value error, ")))
        if problems:
            message = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
            raise InvalidArgumentError(message, reason="INVALID_CHANNEL", fields=problems)
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in read.model_dump(mode="python").items()
        }

    def mask(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration without its secrets."""
        secrets = self._secrets()
        return {name: MASK if name in secrets and value is not None else value for name, value in config.items()}

    def read(self, config: Mapping[str, Any]) -> ConfigT:
        """The configuration as stored."""
        return self._model.model_validate(dict(config))

    def _secrets(self) -> set[str]:
        return {name for name, field in self._model.model_fields.items() if "SecretStr" in str(field.annotation)}
