from __future__ import annotations

import json
import re
from functools import partial

import pytest

from slpnb import efs, image, network, secrets, start
from slpnb.config import load
from slpnb.errors import Refusal
from slpnb.plan.shown import show
from slpnb.secrets import policies, roles, step
from slpnb.task import task_definition
from tests.conftest import again, cases, deny
from tests.interruption import counting, dying

EARLIER = (image, network, efs)
NAMES = ("slp-saas-test/database", "slp-saas-test/salts")
ALLOWED = {"Effect": "Allow", "Action": "ses:SendRawEmail", "Resource": "*"}
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def planned(aws):
    return secrets.plan(secrets.desired(aws.config), secrets.observe(aws))


@pytest.fixture
def ready(aws):
    for module in EARLIER:
        module.plan(module.desired(aws.config), module.observe(aws)).apply(aws)
    return aws


@pytest.fixture
def made(ready):
    planned(ready).apply(ready)
    return ready


def values(aws):
    read = aws.client("secretsmanager").get_secret_value
    return {name: json.loads(read(SecretId=name)["SecretString"]) for name in NAMES}


def test_everything_reads_back_and_a_second_plan_is_empty(made):
    assert secrets.verify(made, secrets.desired(made.config))
    assert not planned(again(made))


def test_the_database_secret_holds_what_rds_says_and_a_password_that_rds_takes(made):
    secret = values(made)["slp-saas-test/database"]
    (instance,) = made.client("rds").describe_db_instances(DBInstanceIdentifier="slp-saas-test-db")["DBInstances"]
    assert secret["host"] == instance["Endpoint"]["Address"]
    assert secret["port"] == instance["Endpoint"]["Port"]
    assert (secret["dbname"], secret["username"]) == ("wordpress", "wordpress")
    assert len(secret["password"]) == 32
    assert not set(secret["password"]) & set("/@\" '")


def test_wordpress_gets_its_eight_keys_and_salts_all_different(made):
    salts = values(made)["slp-saas-test/salts"]
    assert tuple(salts) == secrets.SALTS
    assert len(set(salts.values())) == 8
    assert {len(value) for value in salts.values()} == {64}


def test_no_secret_is_shown_anywhere(ready):
    plan = planned(ready)
    before = (repr(plan), plan._repr_html_(), repr(plan.changes), plan.commands(ids=True))
    applied = plan.apply(ready)
    verdicts, have = secrets.verify(ready, secrets.desired(ready.config)), secrets.observe(ready)
    after = (repr(plan), repr(applied), repr(verdicts), verdicts._repr_html_(), repr(have), repr(planned(ready)))
    hidden = {values(ready)[NAMES[0]]["password"], *values(ready)[NAMES[1]].values()}
    assert len(hidden) == 9
    for text in (*before, *after):
        assert not [value for value in hidden if value in text]


def test_no_account_id_is_shown(ready):
    plan = planned(ready)
    assert ready.account_id not in repr(plan) + plan.commands()
    assert (
        "<logs log-group:/ecs/slp-saas-test:*>" in policies.table(secrets.desired(ready.config), plan.observed).to_csv()
    )
    assert f"ACCOUNT_ID={ready.account_id}" in plan.commands(ids=True)


def test_two_plans_never_generate_the_same_password():
    one, two = (secrets.desired(load())[1].once["password"].make() for _ in range(2))
    assert one != two


def test_a_second_run_leaves_the_values_alone(made):
    first = values(made)
    planned(again(made)).apply(made)
    assert values(made) == first


def test_the_secrets_are_encrypted_with_the_environments_key_which_rotates(made):
    key = made.client("kms").describe_key(KeyId="alias/slp-saas-test")["KeyMetadata"]
    assert made.client("kms").get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
    for name in NAMES:
        secret = made.client("secretsmanager").describe_secret(SecretId=name)
        assert secret["KmsKeyId"] == key["KeyId"]


def test_without_the_database_nothing_is_written(ready):
    aws = again(ready, secrets={"database_instance": "no-such-db"})
    with pytest.raises(Refusal, match=r"secret slp-saas-test/database needs <database host>, which does not exist"):
        planned(aws).apply(aws)
    assert not set(secrets.observe(aws)) & {"kms-key", "secret/database", "role/task"}


def test_before_the_steps_that_it_refers_to_it_is_refused(aws):
    with pytest.raises(Refusal, match="needs <repository arn>, which does not exist: run 10_image first"):
        planned(aws).apply(aws)


# --- roles ---


@pytest.mark.parametrize("case", cases("secrets"))
def test_a_policy_that_grants_too_much_is_found(case):
    verdict = policies.least_privilege("role", {"Version": "2012-10-17", "Statement": case["statement"]})
    assert (verdict.status, verdict.seen) == (case["status"], case["says"])


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("document", [policies.execution, policies.task, policies.instance])
def test_the_kits_own_policies_grant_no_more_than_they_name(environment, document):
    assert policies.least_privilege("role", document(load(environment))).status == "OK"


def test_the_execution_role_reads_the_two_secrets_and_no_other(made):
    role = made.client("iam").get_role_policy(RoleName="slp-saas-test-execution", PolicyName="slpnb")
    (statement,) = (s for s in role["PolicyDocument"]["Statement"] if "secretsmanager:GetSecretValue" in s["Action"])
    arns = [made.client("secretsmanager").describe_secret(SecretId=name)["ARN"] for name in NAMES]
    assert statement["Resource"] == arns


def test_the_table_of_grants_has_a_row_for_every_statement(made):
    table = policies.table(secrets.desired(made.config), secrets.observe(made))
    assert len(table) == 12
    assert set(table.loc["the account's IAM", "on"]) == {"alias/slp-saas-test"}
    assert table.loc["slp-saas-test-task", "on"] == "<file-system arn>"
    assert table.loc["slp-saas-test-task", "only when"] == "elasticfilesystem:AccessPointArn is <access-point arn>"


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_log_that_the_execution_role_writes_is_the_tasks(environment):
    config = load(environment)
    (container,) = task_definition.definition(config)["containerDefinitions"]
    assert policies.log_group(config) == container["logConfiguration"]["options"]["awslogs-group"]


def test_only_tasks_of_this_account_may_have_the_task_roles(made):
    for name in ("slp-saas-test-execution", "slp-saas-test-task"):
        (statement,) = made.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": made.account_id}
        assert statement["Condition"]["ArnLike"] == {"aws:SourceArn": f"arn:aws:ecs:us-east-1:{made.account_id}:*"}


def test_the_key_serves_secrets_manager_alone(made):
    key = made.client("kms").describe_key(KeyId="alias/slp-saas-test")["KeyMetadata"]["KeyId"]
    policy = json.loads(made.client("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    using = [s for s in policy["Statement"] if {"kms:Decrypt", "kms:GenerateDataKey"} & set(s["Action"])]
    assert [s["Condition"]["StringEquals"]["kms:ViaService"] for s in using] == [
        "secretsmanager.us-east-1.amazonaws.com"
    ]


def by_hand(aws, case):
    """Send the call of a case; its $names are ids, its documents become texts."""
    ids = {"kms-key": secrets.observe(aws)["kms-key"].id, "account": aws.account_id}
    text = re.sub(r"\$(kms-key|account)", lambda name: ids[name[1]], json.dumps(case["params"]))
    params = {name: json.dumps(it) if isinstance(it, dict) else it for name, it in json.loads(text).items()}
    getattr(aws.client(case["service"]), case["operation"])(**params)


@pytest.mark.parametrize("case", cases("secrets/drift"))
def test_what_was_changed_by_hand_is_shown_and_repaired_by_one_apply(made, case):
    want = secrets.desired(made.config)
    by_hand(made, case)
    plan = planned(again(made))
    assert [f"{change.action} {change.key}" for change in plan.pending] == case["plan"]
    assert not [text for text in case["shows"] if text not in repr(plan)]
    assert not secrets.verify(made, want)
    plan.apply(made)
    assert secrets.verify(made, want)
    assert not planned(again(made))


def test_rights_that_someone_added_by_hand_are_named(made):
    everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    made.client("iam").put_role_policy(
        RoleName="slp-saas-test-execution", PolicyName="slpnb", PolicyDocument=json.dumps(everything)
    )
    assert "grants of slp-saas-test-execution: * is not one action" in repr(
        secrets.verify(made, secrets.desired(made.config))
    )


def test_a_managed_policy_is_kept_where_the_parameters_name_it(made):
    iam, own = made.client("iam"), {"Version": "2012-10-17", "Statement": [ALLOWED]}
    theirs = iam.create_policy(PolicyName="mail", PolicyDocument=json.dumps(own))["Policy"]["Arn"]
    for policy in (ADMINISTRATOR, theirs):
        iam.attach_role_policy(RoleName="slp-saas-test-task", PolicyArn=policy)
    kept = again(made, secrets={"task_policies": [theirs, "AdministratorAccess"]})
    assert not planned(kept)
    assert [change.key for change in planned(made).pending] == ["role/task"]
    secrets.plan((), secrets.observe(kept)).apply(kept)
    assert not secrets.find_roles(kept)


def test_a_managed_policy_that_does_not_exist_is_refused_before_anything_is_written(ready):
    aws = again(ready, secrets={"task_policies": ["AmazonSSMManagedInstanceCor"]})
    aws.preflight = partial(start.demand, aws.config)
    with pytest.raises(Refusal, match=r"secrets.task_policies asks for AmazonSSMManagedInstanceCor, which does not"):
        planned(aws).apply(aws)
    assert not secrets.find_roles(aws)


def test_whether_a_managed_policy_exists_only_advises(ready):
    deny(ready, "iam", "GetPolicy")
    (verdict,) = roles.attachable(ready.config, secrets.observe(ready))
    assert (verdict.status, verdict.seen) == (
        "SKIP",
        "whether AmazonSSMManagedInstanceCore exists: iam get_policy: AccessDeniedException",
    )
    planned(ready).apply(ready)


def test_a_shell_in_the_container_and_one_on_the_instance_are_switches():
    open_, shut = ({"ecs_exec": on, "session_manager": on} for on in (True, False))
    for asked, actions in ((open_, set(policies.SHELL)), (shut, set())):
        given = {
            "service": {"ecs_exec": asked["ecs_exec"]},
            "cluster": {"session_manager": asked["session_manager"]},
            "task": {"read_only_root": False},
        }
        config = load(given=given)
        granted = {action for statement in policies.task(config)["Statement"] for action in statement["Action"]}
        assert granted & set(policies.SHELL) == actions
        assert bool(roles.managed(config, "instance")) is asked["session_manager"]
        assert policies.least_privilege("role", policies.task(config)).status == "OK"


def test_other_peoples_keys_are_never_asked(ready):
    ready.client("kms").create_key(Description="denies us")
    asked = []
    ready.client("kms").meta.events.register("before-call.kms", lambda model, **_: asked.append(model.name))
    deny(ready, "kms", "ListKeys")
    assert "kms-key" not in secrets.observe(ready)
    assert asked == ["DescribeKey"]  # the alias of the parameters


def test_a_foreign_key_under_the_alias_is_refused_without_its_policy(ready):
    aws = again(ready, secrets={"kms_alias": "alias/legacy"})
    deny(aws, "kms", "GetKeyPolicy", "GetKeyRotationStatus")
    with pytest.raises(Refusal, match="key alias/legacy exists already"):
        planned(aws)


# --- what is someone else's ---


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"kms_alias": "alias/legacy"}, "key alias/legacy exists already"),
        ({"prefix": "legacy"}, "secret legacy/database exists already"),
    ],
)
def test_what_is_someone_elses_is_left_alone(ready, given, sentence):
    ready.client("secretsmanager").create_secret(Name="legacy/database", SecretString="{}")
    aws = again(ready, secrets=given)
    with pytest.raises(Refusal, match=sentence):
        planned(aws)
    assert not secrets.plan((), secrets.observe(aws))


# --- interrupted, destroyed, taken back ---


def end_state(aws):
    have = secrets.observe(aws)
    keys = list(step._tagged_keys(aws))
    return len(keys), {key: show(found.attributes, have) for key, found in have.items()}


def test_a_run_killed_after_any_write_is_finished_by_the_next(ready, account):
    with counting(ready) as (counted, writes):
        planned(counted).apply(counted)
    wanted = end_state(ready)
    assert wanted[0] == 1
    assert len(writes) == 14
    for number in range(1, len(writes)):
        fresh = account()
        for module in EARLIER:
            module.plan(module.desired(fresh.config), module.observe(fresh)).apply(fresh)
        with dying(fresh, number) as killed:
            planned(killed).apply(killed)
        planned(again(fresh)).apply(again(fresh))
        assert not planned(again(fresh)), writes[number - 1]
        assert end_state(again(fresh)) == wanted, writes[number - 1]


def test_destroying_removes_what_was_made_and_nothing_else(made):
    secrets.plan((), secrets.observe(made)).apply(made)
    assert not secrets.plan((), secrets.observe(made))
    left = {secret["Name"] for secret in made.client("secretsmanager").list_secrets()["SecretList"]}
    assert not left & set(NAMES)
    assert "legacy/api-key" in left
    assert {role["RoleName"] for role in made.client("iam").list_roles()["Roles"]} >= {"legacy-web"}
    assert not secrets.find_roles(made)
    assert not secrets.find_secrets(made)


def test_what_was_destroyed_is_taken_back_with_the_same_values_while_it_can_be(made):
    before, key = values(made), secrets.observe(made)["kms-key"].id
    secrets.plan((), secrets.observe(made)).apply(made)
    plan = planned(made)
    assert "state: pending deletion -> available" in repr(plan)
    assert "state: PendingDeletion -> Enabled" in repr(plan)
    plan.apply(made)
    assert values(made) == before
    assert secrets.observe(made)["kms-key"].id == key
    assert secrets.verify(made, secrets.desired(made.config))
    assert not planned(made)


def test_a_key_that_lost_its_alias_is_destroyed_too(made):
    made.client("kms").delete_alias(AliasName="alias/slp-saas-test")
    key = secrets.observe(made)["kms-key"].id
    secrets.plan((), secrets.observe(made)).apply(made)
    assert made.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_a_secret_without_a_value_is_said_so(made):
    (found,) = (f for key, f in secrets.observe(made).items() if key == "secret/salts")
    empty = type(found)(**{**found.__dict__, "facts": {**found.facts, "current": False}})
    assert step._value(empty).status == "NG"
