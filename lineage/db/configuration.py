"""Configuration: people, API keys, refused bytes. Backed up, not rebuilt from the log."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, *, role: str = "auditor") -> User:
        user = self.model(email=self.normalize_email(email).lower(), role=role)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Roles are cumulative: an operator may do all that an officer may."""

    class Role(models.TextChoices):
        AUDITOR = "auditor", "Auditor"
        OFFICER = "officer", "Officer"
        OPERATOR = "operator", "Operator"

    email = models.EmailField(unique=True)
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.AUDITOR)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "account_user"

    def __str__(self) -> str:
        return self.email

    def may(self, role: str) -> bool:
        """Whether this person holds `role` or a higher one."""
        order = [choice.value for choice in self.Role]
        return order.index(self.role) >= order.index(role)


class ApiToken(models.Model):
    """A program's key: `lin_<prefix>_<secret>`; only the SHA-256 of the whole text is kept."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12, unique=True)
    secret_sha256 = models.CharField(max_length=64)
    scopes = models.TextField(help_text="space-separated: attest, read, check, decide, operate")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.TextField(help_text="an e-mail address, or os:<login>")
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="to the minute")
    replaces = models.CharField(max_length=12, blank=True, help_text="prefix of the key that it was made for")

    class Meta:
        db_table = "account_token"

    def __str__(self) -> str:
        return f"{self.name} (lin_{self.prefix}…)"


class Refusal(models.Model):
    """An envelope that was not accepted: counted, listed for operators, capped, bytes kept for 7 days."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the bytes")
    slug = models.CharField(max_length=40)
    detail = models.TextField()
    predicate_type = models.TextField(blank=True)
    subjects = models.TextField(blank=True, help_text="names, one a line, unproven")
    key_hints = models.TextField(blank=True, help_text="key ids that the envelope named, unproven")
    token = models.TextField(blank=True, help_text="name and prefix of the API key that sent it")
    content = models.BinaryField(null=True)

    class Meta:
        db_table = "intake_refusal"

    def __str__(self) -> str:
        return f"{self.slug} {self.digest}"


class RefusalCount(models.Model):
    """How many envelopes were refused on a day, by reason: what stays when `Refusal` rows are capped."""

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()
    slug = models.CharField(max_length=40)
    count = models.BigIntegerField()

    class Meta:
        db_table = "intake_refusal_count"
        constraints = (models.UniqueConstraint(fields=["day", "slug"], name="refusal_day"),)

    def __str__(self) -> str:
        return f"{self.day} {self.slug}: {self.count}"
