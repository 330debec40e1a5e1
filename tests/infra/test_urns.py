"""What holds data keeps its URN: Pulumi would delete and make anew what it no longer finds under it.

A refactoring that moves or renames one of these gives it `aliases` (ResourceOptions) with the old URN, and
changes the line here in the same commit.
"""

from tests.infra.recording import stack

HOLDS_DATA = {
    "outpost:data:PrivateBucket$aws:s3/bucket:Bucket::artifacts",
    "outpost:data:Tables$aws:dynamodb/table:Table::tables-api-keys",
    "outpost:data:Tables$aws:dynamodb/table:Table::tables-audit",
    "outpost:data:Tables$aws:dynamodb/table:Table::tables-jobs",
    "outpost:data:Tables$aws:dynamodb/table:Table::tables-workspaces",
    "outpost:data:Workspaces$aws:efs/fileSystem:FileSystem::workspaces",
    "outpost:security:EncryptionKey$aws:kms/key:Key::key",
    "outpost:security:Vault$aws:secretsmanager/secret:Secret::vault-anthropic",
    "outpost:security:Vault$aws:secretsmanager/secret:Secret::vault-deepseek",
    "outpost:security:Vault$aws:secretsmanager/secret:Secret::vault-github",
    "outpost:security:Vault$aws:secretsmanager/secret:Secret::vault-google",
    "outpost:security:Vault$aws:secretsmanager/secret:Secret::vault-openai",
    "outpost:security:Vault$aws:secretsmanager/secret:Secret::vault-worker-token-key",
    "outpost:security:Vault$aws:secretsmanager/secret:Secret::vault-xai",
    "outpost:security:Vault$random:index/randomPassword:RandomPassword::vault-worker-token-key",
}


def test_what_holds_data_keeps_its_urn() -> None:
    urns = {resource.urn.partition("::outpost::")[2] for resource in stack("dev").resources}
    assert urns >= HOLDS_DATA, "a rename needs an alias; see this file's first lines"
