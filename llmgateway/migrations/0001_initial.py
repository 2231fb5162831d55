from decimal import Decimal

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("identity", "0002_roles"),
    ]

    operations = [
        migrations.CreateModel(
            name="Fallback",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField(default=0)),
            ],
            options={
                "ordering": ["position", "id"],
            },
        ),
        migrations.CreateModel(
            name="Provider",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="Used in config files, routes and reports.",
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\\Z", "Use lower-case letters, digits, dots, dashes and underscores."
                            )
                        ],
                    ),
                ),
                (
                    "dialect",
                    models.CharField(
                        choices=[
                            ("openai", "OpenAI (and compatible)"),
                            ("anthropic", "Anthropic Messages"),
                            ("gemini", "Google Gemini"),
                            ("bedrock", "Amazon Bedrock"),
                            ("cohere", "Cohere v2"),
                        ],
                        default="openai",
                        max_length=16,
                    ),
                ),
                ("base_url", models.CharField(max_length=500, verbose_name="base URL")),
                (
                    "vendor",
                    models.CharField(
                        blank=True,
                        help_text="Whose list prices apply. Left empty, it is guessed from the address.",
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\\Z", "Use the vendor's name in the price list, e.g. openai or x-ai."
                            )
                        ],
                        verbose_name="price list",
                    ),
                ),
                ("credential", models.BinaryField(blank=True, null=True)),
                ("credential_set_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "allow_private_network",
                    models.BooleanField(
                        default=False, help_text="Loopback and private addresses are refused unless this is ticked; plain http too."
                    ),
                ),
                (
                    "connect_timeout",
                    models.DecimalField(
                        decimal_places=1,
                        default=Decimal("5"),
                        max_digits=6,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.1")),
                            django.core.validators.MaxValueValidator(Decimal("3600")),
                        ],
                    ),
                ),
                (
                    "read_timeout",
                    models.DecimalField(
                        decimal_places=1,
                        default=Decimal("300"),
                        max_digits=6,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.1")),
                            django.core.validators.MaxValueValidator(Decimal("3600")),
                        ],
                    ),
                ),
                (
                    "total_timeout",
                    models.DecimalField(
                        decimal_places=1,
                        default=Decimal("900"),
                        max_digits=6,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.1")),
                            django.core.validators.MaxValueValidator(Decimal("3600")),
                        ],
                    ),
                ),
                (
                    "headers",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text='Sent with every call, e.g. {"openai-project": "…"}.',
                        verbose_name="extra headers",
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                (
                    "health",
                    models.CharField(
                        choices=[("unknown", "Not checked"), ("healthy", "Healthy"), ("degraded", "Degraded"), ("down", "Down")],
                        default="unknown",
                        editable=False,
                        max_length=16,
                    ),
                ),
                ("checked_at", models.DateTimeField(editable=False, null=True)),
                ("failed_checks", models.PositiveIntegerField(default=0, editable=False)),
                ("last_error", models.CharField(blank=True, editable=False, max_length=500)),
                ("latency_ms", models.PositiveIntegerField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Model",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="What callers write as “model”.",
                        max_length=200,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z0-9](?:[A-Za-z0-9._:/@+-]*[A-Za-z0-9])?\\Z",
                                "Use letters, digits and . _ : / @ + - only, with a letter or digit at both ends.",
                            )
                        ],
                    ),
                ),
                ("description", models.TextField(blank=True, validators=[django.core.validators.MaxLengthValidator(2000)])),
                (
                    "strategy",
                    models.CharField(
                        choices=[
                            ("weighted", "Weighted shares"),
                            ("priority", "Strict order: priority, then weight"),
                            ("cost", "Cheapest first"),
                        ],
                        default="weighted",
                        max_length=16,
                    ),
                ),
                (
                    "max_output",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="What a call that names no maximum of its own reserves from its budgets.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(10000000)],
                        verbose_name="maximum output tokens",
                    ),
                ),
                (
                    "discoverable",
                    models.BooleanField(
                        default=False,
                        help_text="Everybody may find it in the catalog and request access. Otherwise only those who may use it see it.",
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "fallbacks",
                    models.ManyToManyField(
                        related_name="fallback_of", through="llmgateway.Fallback", through_fields=("model", "target"), to="llmgateway.model"
                    ),
                ),
                (
                    "owner_team",
                    models.ForeignKey(
                        blank=True,
                        help_text="Who answers for it. Empty: the platform.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="identity.team",
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "permissions": [("use_model", "Can call the model through the gateway")],
            },
        ),
        migrations.AddField(
            model_name="fallback",
            name="model",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="fallback_steps", to="llmgateway.model"),
        ),
        migrations.AddField(
            model_name="fallback",
            name="target",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="fallback_uses", to="llmgateway.model"),
        ),
        migrations.CreateModel(
            name="Deployment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "upstream_model",
                    models.CharField(
                        help_text="The provider's own name for it.",
                        max_length=200,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[\\x21-\\x7e]+\\Z", "Use the provider's own name for it: printable ASCII without spaces."
                            )
                        ],
                    ),
                ),
                ("weight", models.PositiveIntegerField(default=1, validators=[django.core.validators.MaxValueValidator(1000000)])),
                ("priority", models.PositiveIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(1000)])),
                ("enabled", models.BooleanField(default=True)),
                (
                    "model",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="deployments", to="llmgateway.model"),
                ),
                (
                    "provider",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="deployments", to="llmgateway.provider"),
                ),
            ],
            options={
                "ordering": ["priority", "id"],
            },
        ),
        migrations.AddConstraint(
            model_name="fallback",
            constraint=models.UniqueConstraint(fields=("model", "target"), name="llmgateway_fallback_once_per_target"),
        ),
        migrations.AddConstraint(
            model_name="deployment",
            constraint=models.UniqueConstraint(fields=("model", "provider", "upstream_model"), name="llmgateway_deployment_once_per_model"),
        ),
    ]
