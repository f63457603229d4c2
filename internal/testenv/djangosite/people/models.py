"""A user model as unlike Django's own as projects make them."""
import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class PersonManager(BaseUserManager):
    def create_user(self, login, password=None, **fields):
        fields.setdefault("employee_number", 0)
        person = self.model(login=login, **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, login, password=None, **fields):
        return self.create_user(login, password, is_staff=True, is_superuser=True, **fields)


class Person(AbstractBaseUser, PermissionsMixin):
    """A key without a database default, another name for the username, columns that somebody must fill, no date_joined."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    login = models.CharField(max_length=40, unique=True)
    email = models.EmailField(unique=True, null=True, blank=True)
    full_name = models.CharField(max_length=80, blank=True)
    employee_number = models.PositiveIntegerField()
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)

    objects = PersonManager()

    USERNAME_FIELD = "login"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["employee_number"]
