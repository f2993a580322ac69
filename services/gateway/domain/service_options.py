"""What a client wishes of a service or a node: bodies of swarm's routes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Self, TypeVar

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from shared import errdefs
from shared.contracts.swarm import (
    FailureAction,
    PluginSpec,
    RestartCondition,
    RestartPolicy,
    ServiceSpec,
    UpdateConfig,
    UpdateOrder,
)
from shared.oci.go_struct import GoStruct, GoTypeError

E = TypeVar("E", bound=StrEnum)

_RUNTIME = "plugin"
_INT64_MAX = 2**63 - 1


class Int64(int):
    """Go's int64 and uint64: nanoseconds, counters."""

    @classmethod
    def from_go(cls, value: object) -> Self:
        """Read a number; raises GoTypeError."""
        if type(value) is not int or abs(value) > _INT64_MAX:
            raise GoTypeError(f"json: cannot unmarshal {value!r} into Go value of type int64")
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.is_instance_schema(int)


class Ratio(float):
    """Go's float32."""

    @classmethod
    def from_go(cls, value: object) -> Self:
        """Read a number; raises GoTypeError."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise GoTypeError(f"json: cannot unmarshal {value!r} into Go value of type float32")
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.is_instance_schema(float)


class _Swarm(GoStruct):
    PACKAGE: ClassVar[str] = "swarm"


class Ignored(_Swarm):
    """Something of which only is looked whether it is there."""


class _Privilege(_Swarm):
    name: str = ""
    description: str = ""
    value: tuple[str, ...] | None = None


class _RuntimeSpec(_Swarm):
    name: str = ""
    remote: str = ""
    privileges: tuple[_Privilege, ...] | None = None
    disabled: bool = False
    env: tuple[str, ...] | None = None

    def to_plugin(self) -> PluginSpec:
        granted = (
            {"Name": one.name, "Description": one.description, "Value": list(one.value or ())}
            for one in self.privileges or ()
        )
        return PluginSpec(
            name=self.name,
            remote=self.remote,
            privileges=tuple(granted),
            disabled=self.disabled,
            env=self.env or (),
        )


class _Placement(_Swarm):
    constraints: tuple[str, ...] | None = Field(default=None, alias="Constraints")
    preferences: tuple[Ignored, ...] | None = Field(default=None, alias="Preferences")
    max_replicas: Int64 = Field(default=Int64(0), alias="MaxReplicas")
    platforms: tuple[Ignored, ...] | None = Field(default=None, alias="Platforms")


class _RestartPolicy(_Swarm):
    condition: str = Field(default="", alias="Condition")
    delay: Int64 | None = Field(default=None, alias="Delay")
    max_attempts: Int64 | None = Field(default=None, alias="MaxAttempts")
    window: Int64 | None = Field(default=None, alias="Window")

    def to_policy(self) -> RestartPolicy:
        default = RestartPolicy()
        return RestartPolicy(
            condition=_word(RestartCondition, self.condition, 'invalid RestartCondition: "{}"'),
            delay_ns=default.delay_ns if self.delay is None else self.delay,
            max_attempts=self.max_attempts or 0,
            window_ns=self.window or 0,
        )


class _UpdateConfig(_Swarm):
    parallelism: Int64 = Field(default=Int64(0), alias="Parallelism")
    delay: Int64 = Field(default=Int64(0), alias="Delay")
    failure_action: str = Field(default="", alias="FailureAction")
    monitor: Int64 = Field(default=Int64(0), alias="Monitor")
    max_failure_ratio: Ratio = Field(default=Ratio(0), alias="MaxFailureRatio")
    order: str = Field(default="", alias="Order")

    def to_config(self) -> UpdateConfig:
        return UpdateConfig(
            parallelism=self.parallelism,
            delay_ns=self.delay,
            failure_action=_word(
                FailureAction, self.failure_action, "unrecognized update failure action {}"
            ),
            monitor_ns=self.monitor or UpdateConfig().monitor_ns,
            max_failure_ratio=self.max_failure_ratio,
            order=_word(UpdateOrder, self.order, "unrecognized update order {}"),
        )


class _Resources(_Swarm):
    limits: Ignored | None = Field(default=None, alias="Limits")
    reservations: Ignored | None = Field(default=None, alias="Reservations")


class _TaskSpec(_Swarm):
    container_spec: Ignored | None = Field(default=None, alias="ContainerSpec")
    plugin_spec: _RuntimeSpec | None = Field(default=None, alias="PluginSpec")
    resources: _Resources | None = Field(default=None, alias="Resources")
    restart_policy: _RestartPolicy | None = Field(default=None, alias="RestartPolicy")
    placement: _Placement | None = Field(default=None, alias="Placement")
    networks: tuple[Ignored, ...] | None = Field(default=None, alias="Networks")
    log_driver: Ignored | None = Field(default=None, alias="LogDriver")
    force_update: Int64 = Field(default=Int64(0), alias="ForceUpdate")
    runtime: str = Field(default="", alias="Runtime")


class _Mode(_Swarm):
    replicated: Ignored | None = Field(default=None, alias="Replicated")
    global_: Ignored | None = Field(default=None, alias="Global")
    replicated_job: Ignored | None = Field(default=None, alias="ReplicatedJob")
    global_job: Ignored | None = Field(default=None, alias="GlobalJob")


class _EndpointSpec(_Swarm):
    mode: str = Field(default="", alias="Mode")
    ports: tuple[Ignored, ...] | None = Field(default=None, alias="Ports")


class ServiceOptions(_Swarm):
    """The body of POST /services/create and /services/{id}/update."""

    name: str = Field(default="", alias="Name")
    labels: dict[str, str] | None = Field(default=None, alias="Labels")
    task_template: _TaskSpec = Field(default=_TaskSpec(), alias="TaskTemplate")
    mode: _Mode = Field(default=_Mode(), alias="Mode")
    update_config: _UpdateConfig | None = Field(default=None, alias="UpdateConfig")
    rollback_config: _UpdateConfig | None = Field(default=None, alias="RollbackConfig")
    endpoint_spec: _EndpointSpec | None = Field(default=None, alias="EndpointSpec")

    def to_spec(self, name: str) -> ServiceSpec:
        """Return the spec; *name* where none was said. Raises in dockerd's words."""
        template = self.task_template
        return ServiceSpec(
            name=self.name or name,
            labels=self.labels,
            plugin=self._plugin(),
            constraints=(template.placement and template.placement.constraints) or (),
            force_update=template.force_update,
            restart=template.restart_policy and template.restart_policy.to_policy(),
            update=self.update_config and self.update_config.to_config(),
            rollback=self.rollback_config and self.rollback_config.to_config(),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what was asked and plugins have no use for."""
        template, placement = self.task_template, self.task_template.placement
        asked = {
            "TaskTemplate.Resources": template.resources
            and (template.resources.limits or template.resources.reservations),
            "TaskTemplate.Networks": template.networks,
            "TaskTemplate.LogDriver": template.log_driver,
            "TaskTemplate.Placement.Preferences": placement and placement.preferences,
            "TaskTemplate.Placement.MaxReplicas": placement and placement.max_replicas,
            "TaskTemplate.Placement.Platforms": placement and placement.platforms,
            "EndpointSpec.Ports": self.endpoint_spec and self.endpoint_spec.ports,
        }
        return tuple(
            f"{field} is not kept: a service of plugins has no use for it"
            for field, value in asked.items()
            if value
        )

    def _plugin(self) -> PluginSpec:
        template = self.task_template
        if template.runtime != _RUNTIME:
            self._refuse_runtime(template.runtime)
        if template.plugin_spec is None:
            raise errdefs.InvalidArgument(
                "mismatched Runtime and *Spec fields: plugin spec must be set"
            )
        if self.mode.replicated is not None:
            raise errdefs.InvalidArgument("plugins must not use replicated mode")
        if self.mode.replicated_job or self.mode.global_job:
            raise errdefs.InvalidArgument("must specify only one service mode")
        return template.plugin_spec.to_plugin()

    def _refuse_runtime(self, runtime: str) -> None:
        if runtime in ("", "container"):
            raise errdefs.Unimplemented(
                "Wherry runs no containers, so there are services of plugins only: set "
                'TaskTemplate.Runtime to "plugin", and TaskTemplate.PluginSpec'
            )
        raise errdefs.InvalidArgument("unsupported runtime")


class NodeOptions(_Swarm):
    """The body of POST /nodes/{id}/update."""

    name: str = Field(default="", alias="Name")
    labels: dict[str, str] | None = Field(default=None, alias="Labels")
    role: str = Field(default="", alias="Role")
    availability: str = Field(default="", alias="Availability")


def _word(words: type[E], said: str, refusal: str) -> E:
    """Return one of some words, the default where nothing was said."""
    if not said:
        default = {RestartCondition: "any", FailureAction: "pause", UpdateOrder: "stop-first"}
        return words(default[words])
    try:
        return words(said.lower())
    except ValueError as error:
        raise errdefs.InvalidArgument(refusal.format(said)) from error
