"""A Django project as plain as they come: what startproject makes, on the database that TESTENV_DATABASE names."""
import os
from pathlib import Path

from .database import from_dsn

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only for tests"
DEBUG = True
ALLOWED_HOSTS = ["*"]

CUSTOM = os.environ.get("TESTENV_CUSTOM") == "1"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]
if CUSTOM:
    INSTALLED_APPS.append("people")
    AUTH_USER_MODEL = "people.Person"

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "site_project.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": from_dsn(os.environ.get("TESTENV_DATABASE", "sqlite:///:memory:"))}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

# Fast, and of no other consequence: the tests set passwords of their own only.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
