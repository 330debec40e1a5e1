"""The DynamoDB tables: jobs, API keys, audit trail, workspaces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra.table_scaling import Capacity, scale
from outpost.names import Names

STRING, NUMBER = "S", "N"
TTL_ATTRIBUTE = "ttl"


@dataclass(frozen=True, kw_only=True)
class Index:
    """A global secondary index, with whole items or with their keys only."""

    name: str
    hash_key: str
    range_key: str | None = None
    projection: str = "ALL"

    def key_roles(self) -> list[tuple[str, str]]:
        """The key attributes and their roles."""
        roles = [(self.hash_key, "HASH")]
        return [*roles, (self.range_key, "RANGE")] if self.range_key else roles


@dataclass(frozen=True, kw_only=True)
class Schema:
    """A table's keys and indexes; `numbers` are the key attributes that are not strings."""

    hash_key: str
    range_key: str | None = None
    indexes: Sequence[Index] = ()
    numbers: frozenset[str] = frozenset()

    def attributes(self) -> dict[str, str]:
        """Every key attribute and its type, sorted by name so that each run declares the same."""
        keys = {self.hash_key, self.range_key}
        for index in self.indexes:
            keys |= {index.hash_key, index.range_key}
        return {key: NUMBER if key in self.numbers else STRING for key in sorted(filter(None, keys))}


JOBS = Schema(
    hash_key="tenantId",
    range_key="dispatchId",
    # Sparse: only dispatches that have not ended carry a deadline, so the reconciler reads what is open.
    indexes=(
        Index(
            name="deadline-index",
            hash_key="deadlineShard",
            range_key="deadlineAt",
            projection="KEYS_ONLY",
        ),
    ),
    numbers=frozenset({"deadlineAt"}),
)
API_KEYS = Schema(
    hash_key="apiKeyId",
    indexes=(
        Index(name="keyHash-index", hash_key="keyHash"),
        Index(name="tenantId-index", hash_key="tenantId"),
    ),
)
AUDIT = Schema(hash_key="tenantId", range_key="auditId")
WORKSPACES = Schema(hash_key="tenantId", range_key="workspaceId")


@dataclass(frozen=True, kw_only=True)
class TablesArgs:
    """`protect` refuses deletion, by AWS and by Pulumi. Without a `key_arn` DynamoDB's own key encrypts.

    Without a `capacity` the tables are on demand.
    """

    names: Names
    protect: bool
    capacity: Capacity | None = None
    key_arn: Input[str] | None = None


class Tables(ComponentResource):
    """The four tables, recoverable to any second of the last 35 days (AWS's window for PITR)."""

    jobs: aws.dynamodb.Table
    api_keys: aws.dynamodb.Table
    audit: aws.dynamodb.Table
    workspaces: aws.dynamodb.Table

    def __init__(self, name: str, args: TablesArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:data:Tables", name, {}, opts)
        self._args = args
        self._child = ResourceOptions(parent=self, protect=args.protect)
        self.jobs = self._table(f"{name}-jobs", args.names.jobs_table, JOBS)
        self.api_keys = self._table(f"{name}-api-keys", args.names.api_keys_table, API_KEYS)
        self.audit = self._table(f"{name}-audit", args.names.audit_table, AUDIT)
        self.workspaces = self._table(f"{name}-workspaces", args.names.workspaces_table, WORKSPACES)
        self.register_outputs({"jobs": self.jobs.name})

    @property
    def arns(self) -> list[Output[str]]:
        return [table.arn for table in (self.jobs, self.api_keys, self.audit, self.workspaces)]

    def environment(self) -> Mapping[str, Output[str]]:
        """The control plane's settings that name the tables."""
        return {
            "JOBS_TABLE": self.jobs.name,
            "API_KEYS_TABLE": self.api_keys.name,
            "AUDIT_TABLE": self.audit.name,
            "WORKSPACES_TABLE": self.workspaces.name,
        }

    def _table(self, name: str, table_name: str, schema: Schema) -> aws.dynamodb.Table:
        args = self._args
        units = args.capacity.minimum if args.capacity else None
        table = aws.dynamodb.Table(
            name,
            name=table_name,
            billing_mode="PROVISIONED" if args.capacity else "PAY_PER_REQUEST",
            read_capacity=units,
            write_capacity=units,
            hash_key=schema.hash_key,
            range_key=schema.range_key,
            attributes=[
                aws.dynamodb.TableAttributeArgs(name=key, type=kind)
                for key, kind in schema.attributes().items()
            ],
            global_secondary_indexes=[_index(index, units) for index in schema.indexes] or None,
            ttl=aws.dynamodb.TableTtlArgs(attribute_name=TTL_ATTRIBUTE, enabled=True),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(
                enabled=True, kms_key_arn=args.key_arn
            )
            if args.key_arn is not None
            else None,
            deletion_protection_enabled=args.protect,
            opts=ResourceOptions.merge(self._child, ResourceOptions(ignore_changes=_scaled(schema, args))),
        )
        if args.capacity:
            indexes = [index.name for index in schema.indexes]
            scale(name, table, indexes, args.capacity, ResourceOptions(parent=self))
        return table


def _index(index: Index, units: int | None) -> aws.dynamodb.TableGlobalSecondaryIndexArgs:
    return aws.dynamodb.TableGlobalSecondaryIndexArgs(
        name=index.name,
        key_schemas=[
            aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(attribute_name=key, key_type=kind)
            for key, kind in index.key_roles()
        ],
        projection_type=index.projection,
        read_capacity=units,
        write_capacity=units,
    )


def _scaled(schema: Schema, args: TablesArgs) -> list[str]:
    """The inputs that are auto-scaling's once a provisioned table exists."""
    if not args.capacity:
        return []
    units = ("readCapacity", "writeCapacity")
    places = range(len(schema.indexes))
    return [*units, *(f"globalSecondaryIndexes[{place}].{unit}" for place in places for unit in units)]
