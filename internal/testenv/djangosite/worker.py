"""Answers questions about a database through Django: one JSON object a line in, one a line out.

    {"dsn": "postgres://…", "call": "users", "args": {}}  →  {"result": […]}  or  {"error": "…"}
"""
import datetime
import io
import json
import os
import sys
import traceback

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_project.settings")

import django

django.setup()

from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections
from django.test import Client
from django.test.utils import setup_test_environment
from django.urls import reverse

from browser import Form
from site_project.database import from_dsn

User = get_user_model()
CALLS = {}
plain = dict(connections.databases["default"])  # with Django's defaults filled in


def call(function):
    CALLS[function.__name__] = function
    return function


def connect(dsn):
    """Make dsn the default database. Nothing of the one before may be remembered."""
    connections.close_all()
    if hasattr(connections._connections, "default"):
        del connections["default"]
    connections.databases["default"] = dict(plain, **from_dsn(dsn))
    ContentType.objects.clear_cache()


def find(username):
    return User._default_manager.get_by_natural_key(username)


@call
def migrate():
    call_command("migrate", verbosity=0, interactive=False)


@call
def sql():
    """Return the SQL of all migrations, as `manage.py sqlmigrate` prints it."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections["default"])
    texts = []
    for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes()):
        out = io.StringIO()
        call_command("sqlmigrate", migration.app_label, migration.name, stdout=out)
        texts.append(out.getvalue())
    return "\n".join(texts)


def describe(user):
    fields = {field.attname: getattr(user, field.attname) for field in user._meta.concrete_fields}
    return {
        "id": str(user.pk),
        "username": user.get_username(),
        "first_name": fields.get("first_name", ""),
        "last_name": fields.get("last_name", ""),
        "email": fields.get("email") or "",
        "active": user.is_active,
        "staff": user.is_staff,
        "superuser": user.is_superuser,
        "usable_password": user.has_usable_password(),
        "groups": sorted(group.name for group in user.groups.all()),
        "permissions": sorted(user.get_all_permissions()),
        "fields": fields,
    }


@call
def users():
    return [describe(user) for user in User._default_manager.order_by(User.USERNAME_FIELD)]


@call
def groups():
    return [
        {
            "id": str(group.pk),
            "name": group.name,
            "members": sorted(user.get_username() for user in group.user_set.all()),
            "permissions": sorted(p.content_type.app_label + "." + p.codename for p in group.permissions.all()),
        }
        for group in Group.objects.order_by("name")
    ]


@call
def check_password(username, password):
    return find(username).check_password(password)


@call
def login(username, password):
    """Log in as the login form does: normalize the username, authenticate, make a session, use it."""
    from django.contrib.auth.forms import AuthenticationForm

    form = AuthenticationForm(None, {"username": username, "password": password})
    if not form.is_valid():
        return False
    client = Client()
    client.force_login(form.get_user())
    return session_user(client) is not None


def session_user(client):
    return client.session.get(SESSION_KEY)


@call
def has_perm(username, permission):
    return find(username).has_perm(permission)


@call
def admin_page(username):
    """Render the admin's page of a user, save it unchanged, and return what the form complains about."""
    judge = User._default_manager.create_superuser("testenv-judge", password="judge", email="judge@example.com")
    try:
        client = Client(raise_request_exception=True)
        client.force_login(judge)
        url = reverse("admin:%s_%s_change" % (User._meta.app_label, User._meta.model_name), args=[find(username).pk])
        page = client.get(url)
        if page.status_code != 200:
            return ["GET %s: status %d" % (url, page.status_code)]
        saved = client.post(url, Form(page.content.decode()).data)
        if saved.status_code == 302:
            return []
        if saved.status_code != 200:
            return ["POST %s: status %d" % (url, saved.status_code)]
        errors = saved.context["adminform"].form.errors
        return ["%s: %s" % (field, " ".join(messages)) for field, messages in errors.items()] or ["not saved"]
    finally:
        judge.delete()


@call
def create_user(username, password, fields):
    user = User._default_manager.create_user(username, password=password, **fields)
    return str(user.pk)


@call
def create_superuser(username, password, fields):
    user = User._default_manager.create_superuser(username, password=password, **fields)
    return str(user.pk)


@call
def create_group(name, permissions):
    """Create the group if need be and give it the permissions, each as app_label.codename."""
    group, _ = Group.objects.get_or_create(name=name)
    for permission in permissions:
        label, codename = permission.split(".", 1)
        group.permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
    return str(group.pk)


@call
def add_to_group(username, group):
    find(username).groups.add(Group.objects.get(name=group))


@call
def remove_from_group(username, group):
    find(username).groups.remove(Group.objects.get(name=group))


@call
def set_fields(username, fields):
    """Change columns of a user as a person at the admin would: through the model."""
    user = find(username)
    for name, value in fields.items():
        setattr(user, name, value)
    user.save(update_fields=list(fields))


@call
def set_password(username, password):
    user = find(username)
    user.set_password(password)
    user.save()


@call
def delete_user(username):
    """Return what user.delete() says it deleted, as {model: count}."""
    return find(username).delete()[1]


@call
def delete_group(name):
    return Group.objects.get(name=name).delete()[1]


@call
def log_entry(username):
    """Leave a row of the admin's history that refers to the user, as any action there does."""
    from django.contrib.admin.models import CHANGE, LogEntry

    user = find(username)
    LogEntry.objects.log_action(
        user_id=user.pk,
        content_type_id=ContentType.objects.get_for_model(user).pk,
        object_id=user.pk,
        object_repr=str(user),
        action_flag=CHANGE,
    )


@call
def session(username):
    """Return the key of a new session of the user; session_alive tells whether it still logs her in."""
    client = Client()
    client.force_login(find(username))
    return client.session.session_key


@call
def session_alive(key):
    from django.conf import settings

    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    return client.get(reverse("admin:index")).wsgi_request.user.is_authenticated


@call
def check():
    """Run Django's system checks, and its check that no migration is missing; return the complaint."""
    out = io.StringIO()
    try:
        call_command("check", stdout=out, stderr=out)
        call_command("migrate", "--check", stdout=out, stderr=out)
        call_command("makemigrations", "--check", "--dry-run", stdout=out, stderr=out)
    except BaseException as error:
        return "%s %s" % (error, out.getvalue())
    return ""


class Encoder(DjangoJSONEncoder):
    """Django's, but for times with all their microseconds."""

    def default(self, o):
        return o.isoformat() if isinstance(o, datetime.datetime) else super().default(o)


def answer(request):
    try:
        connect(request["dsn"])
        return {"result": CALLS[request["call"]](**request["args"])}
    except Exception:
        return {"error": traceback.format_exc()}
    finally:
        connections.close_all()


def main():
    replies, sys.stdout = sys.stdout, sys.stderr
    setup_test_environment(debug=True)
    for line in sys.stdin:
        json.dump(answer(json.loads(line)), replies, cls=Encoder)
        replies.write("\n")
        replies.flush()


if __name__ == "__main__":
    main()
