from decimal import Decimal

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import usage.exact


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("identity", "0002_roles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Blob",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("size", models.PositiveBigIntegerField()),
                ("content", models.BinaryField()),
            ],
            options={
                "verbose_name": "stored file",
            },
        ),
        migrations.CreateModel(
            name="Agent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "discoverable",
                    models.BooleanField(
                        default=False,
                        help_text="Everybody may find it in the catalog and request access. Otherwise only those who may use it see it.",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("frozen", "Frozen"), ("retired", "Retired")],
                        default="active",
                        editable=False,
                        max_length=16,
                    ),
                ),
                (
                    "status_reason",
                    models.TextField(blank=True, editable=False, validators=[django.core.validators.MaxLengthValidator(2000)]),
                ),
                ("status_at", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "health",
                    models.CharField(
                        choices=[("unknown", "Not checked"), ("healthy", "Healthy"), ("degraded", "Degraded"), ("down", "Down")],
                        default="unknown",
                        editable=False,
                        max_length=16,
                    ),
                ),
                ("checked_at", models.DateTimeField(editable=False, null=True, verbose_name="last check")),
                ("failed_checks", models.PositiveIntegerField(default=0, editable=False)),
                ("last_error", models.CharField(blank=True, editable=False, max_length=500)),
                ("latency_ms", models.PositiveIntegerField(editable=False, null=True, verbose_name="latency (ms)")),
                (
                    "upstream_digest",
                    models.CharField(blank=True, editable=False, help_text="What it was when it last answered.", max_length=64),
                ),
                ("credential", models.BinaryField(blank=True, null=True)),
                (
                    "credential_header",
                    models.CharField(
                        default="authorization",
                        max_length=100,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}\\Z", "This is not the name of an HTTP header."
                            )
                        ],
                    ),
                ),
                ("credential_set_at", models.DateTimeField(editable=False, null=True)),
                (
                    "allow_private_network",
                    models.BooleanField(
                        default=False,
                        help_text="Loopback and private addresses are refused unless a platform admin ticks this; plain http too.",
                    ),
                ),
                (
                    "slug",
                    models.CharField(
                        help_text="Its address: /a2a/ and this.",
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9](?:-?[a-z0-9])*\\Z",
                                "Use lower-case letters, digits and single hyphens, with a letter or digit at both ends.",
                            )
                        ],
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=200)),
                (
                    "description",
                    models.TextField(
                        blank=True,
                        help_text="Markdown, shown in the catalog.",
                        validators=[django.core.validators.MaxLengthValidator(4000)],
                    ),
                ),
                ("url", models.CharField(help_text="Its base address or the address of its card.", max_length=1000, verbose_name="URL")),
                (
                    "price",
                    usage.exact.ExactDecimalField(
                        blank=True,
                        decimal_places=12,
                        max_digits=24,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                        verbose_name="price per call (USD)",
                    ),
                ),
                (
                    "identity",
                    models.OneToOneField(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="registered_agent",
                        to=settings.AUTH_USER_MODEL,
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
                (
                    "sponsor",
                    models.ForeignKey(
                        blank=True,
                        help_text="The person who vouches for it.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["slug"],
                "permissions": [("use_agent", "Can call the agent")],
            },
        ),
        migrations.CreateModel(
            name="AgentVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.CharField(max_length=64)),
                ("digest", models.CharField(editable=False, help_text="SHA-256 of the canonical content.", max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("pending", "Waiting for review"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                            ("deprecated", "Deprecated"),
                        ],
                        default="draft",
                        editable=False,
                        max_length=16,
                    ),
                ),
                (
                    "found_by_refresh",
                    models.BooleanField(default=False, editable=False, help_text="The upstream changed by itself; nobody proposed this."),
                ),
                ("submitted_at", models.DateTimeField(editable=False, null=True)),
                ("reviewed_at", models.DateTimeField(editable=False, null=True)),
                ("reason", models.TextField(blank=True, editable=False, validators=[django.core.validators.MaxLengthValidator(2000)])),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("card", models.BinaryField()),
                ("card_url", models.CharField(editable=False, max_length=1000)),
                ("parsed", models.JSONField(default=dict, editable=False)),
                ("url", models.CharField(editable=False, max_length=1000, verbose_name="URL")),
                ("protocol_version", models.CharField(editable=False, max_length=16)),
                ("agent", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="registry.agent")),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reviewed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "submitted_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.AddField(
            model_name="agent",
            name="live_version",
            field=models.ForeignKey(
                editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="registry.agentversion"
            ),
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("server", "MCP server"), ("agent", "Agent"), ("skill", "Skill"), ("access", "Access request")],
                        max_length=16,
                    ),
                ),
                ("subject_id", models.PositiveBigIntegerField()),
                ("title", models.CharField(max_length=400)),
                ("item_ref", models.CharField(max_length=300)),
                ("requested_at", models.DateTimeField(auto_now_add=True)),
                ("note", models.TextField(blank=True, validators=[django.core.validators.MaxLengthValidator(2000)])),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("difference", models.JSONField(default=list)),
                ("findings", models.JSONField(default=list)),
                ("risk", models.PositiveSmallIntegerField(choices=[(0, "None"), (1, "Note"), (2, "Warning"), (3, "Danger")], default=0)),
                (
                    "decision",
                    models.CharField(
                        choices=[("pending", "Waiting"), ("approved", "Approved"), ("rejected", "Rejected"), ("withdrawn", "Withdrawn")],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                ("reason", models.TextField(blank=True, validators=[django.core.validators.MaxLengthValidator(2000)])),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "owner_team",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="identity.team"),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "subject_type",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="contenttypes.contenttype"),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("decide_review", "Can approve and reject")],
            },
        ),
        migrations.CreateModel(
            name="SearchDocument",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("model", "Model"),
                            ("server", "MCP server"),
                            ("tool", "Tool"),
                            ("toolset", "Toolset"),
                            ("agent", "Agent"),
                            ("skill", "Skill"),
                        ],
                        max_length=16,
                    ),
                ),
                ("object_id", models.PositiveBigIntegerField()),
                ("parent_id", models.PositiveBigIntegerField(null=True)),
                ("name", models.CharField(max_length=200)),
                ("title", models.CharField(max_length=300)),
                ("summary", models.TextField(blank=True)),
                ("state", models.CharField(max_length=16)),
                ("visible", models.BooleanField(default=False, help_text="Discoverable and live: everybody signed in may see it.")),
                ("updated_at", models.DateTimeField()),
                ("team", models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="identity.team")),
            ],
        ),
        migrations.CreateModel(
            name="Server",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "discoverable",
                    models.BooleanField(
                        default=False,
                        help_text="Everybody may find it in the catalog and request access. Otherwise only those who may use it see it.",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("frozen", "Frozen"), ("retired", "Retired")],
                        default="active",
                        editable=False,
                        max_length=16,
                    ),
                ),
                (
                    "status_reason",
                    models.TextField(blank=True, editable=False, validators=[django.core.validators.MaxLengthValidator(2000)]),
                ),
                ("status_at", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "health",
                    models.CharField(
                        choices=[("unknown", "Not checked"), ("healthy", "Healthy"), ("degraded", "Degraded"), ("down", "Down")],
                        default="unknown",
                        editable=False,
                        max_length=16,
                    ),
                ),
                ("checked_at", models.DateTimeField(editable=False, null=True, verbose_name="last check")),
                ("failed_checks", models.PositiveIntegerField(default=0, editable=False)),
                ("last_error", models.CharField(blank=True, editable=False, max_length=500)),
                ("latency_ms", models.PositiveIntegerField(editable=False, null=True, verbose_name="latency (ms)")),
                (
                    "upstream_digest",
                    models.CharField(blank=True, editable=False, help_text="What it was when it last answered.", max_length=64),
                ),
                ("credential", models.BinaryField(blank=True, null=True)),
                (
                    "credential_header",
                    models.CharField(
                        default="authorization",
                        max_length=100,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}\\Z", "This is not the name of an HTTP header."
                            )
                        ],
                    ),
                ),
                ("credential_set_at", models.DateTimeField(editable=False, null=True)),
                (
                    "allow_private_network",
                    models.BooleanField(
                        default=False,
                        help_text="Loopback and private addresses are refused unless a platform admin ticks this; plain http too.",
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="Reverse-DNS, such as io.github.acme/weather.",
                        max_length=251,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-zA-Z0-9.-]{1,150}/[a-zA-Z0-9._-]{1,100}\\Z",
                                "Write a reverse-DNS name such as io.github.acme/weather: letters, digits, dots and hyphens, one slash.",
                            )
                        ],
                    ),
                ),
                (
                    "slug",
                    models.CharField(
                        help_text="Its address: /mcp/ and this.",
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9](?:-?[a-z0-9])*\\Z",
                                "Use lower-case letters, digits and single hyphens, with a letter or digit at both ends.",
                            )
                        ],
                    ),
                ),
                ("title", models.CharField(blank=True, max_length=100)),
                (
                    "description",
                    models.TextField(
                        blank=True,
                        help_text="Markdown, shown in the catalog.",
                        validators=[django.core.validators.MaxLengthValidator(4000)],
                    ),
                ),
                ("url", models.CharField(max_length=1000, verbose_name="URL")),
                (
                    "era",
                    models.CharField(
                        choices=[
                            ("auto", "Automatic"),
                            ("legacy", "2025-11-25 and older (sessions)"),
                            ("2026-07-28", "2026-07-28 (stateless)"),
                        ],
                        default="auto",
                        max_length=16,
                        verbose_name="protocol",
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
                "verbose_name": "MCP server",
                "ordering": ["slug"],
                "permissions": [
                    ("use_server", "Can call every approved tool of the server"),
                    ("allow_private_network", "Can let the house call private addresses"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ServerVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.CharField(max_length=64)),
                ("digest", models.CharField(editable=False, help_text="SHA-256 of the canonical content.", max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("pending", "Waiting for review"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                            ("deprecated", "Deprecated"),
                        ],
                        default="draft",
                        editable=False,
                        max_length=16,
                    ),
                ),
                (
                    "found_by_refresh",
                    models.BooleanField(default=False, editable=False, help_text="The upstream changed by itself; nobody proposed this."),
                ),
                ("submitted_at", models.DateTimeField(editable=False, null=True)),
                ("reviewed_at", models.DateTimeField(editable=False, null=True)),
                ("reason", models.TextField(blank=True, editable=False, validators=[django.core.validators.MaxLengthValidator(2000)])),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("url", models.CharField(editable=False, max_length=1000, verbose_name="URL")),
                ("document", models.JSONField(default=dict, editable=False)),
                ("capabilities", models.JSONField(default=dict, editable=False)),
                ("instructions", models.TextField(blank=True, editable=False)),
                ("era", models.CharField(blank=True, editable=False, max_length=16, verbose_name="protocol")),
                ("problems", models.JSONField(default=list, editable=False, help_text="What was left out of it, and why.")),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reviewed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("server", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="registry.server")),
                (
                    "submitted_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.AddField(
            model_name="server",
            name="live_version",
            field=models.ForeignKey(
                editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="registry.serverversion"
            ),
        ),
        migrations.CreateModel(
            name="Skill",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "discoverable",
                    models.BooleanField(
                        default=False,
                        help_text="Everybody may find it in the catalog and request access. Otherwise only those who may use it see it.",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("frozen", "Frozen"), ("retired", "Retired")],
                        default="active",
                        editable=False,
                        max_length=16,
                    ),
                ),
                (
                    "status_reason",
                    models.TextField(blank=True, editable=False, validators=[django.core.validators.MaxLengthValidator(2000)]),
                ),
                ("status_at", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "name",
                    models.CharField(
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9](?:-?[a-z0-9])*\\Z",
                                "Use lower-case letters, digits and single hyphens, with a letter or digit at both ends.",
                            )
                        ],
                    ),
                ),
                (
                    "description",
                    models.TextField(
                        blank=True,
                        help_text="From the live version's SKILL.md.",
                        validators=[django.core.validators.MaxLengthValidator(1024)],
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
                "permissions": [("use_skill", "Can install the skill")],
            },
        ),
        migrations.CreateModel(
            name="Collection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "slug",
                    models.CharField(
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9](?:-?[a-z0-9])*\\Z",
                                "Use lower-case letters, digits and single hyphens, with a letter or digit at both ends.",
                            )
                        ],
                    ),
                ),
                ("title", models.CharField(blank=True, max_length=100)),
                ("description", models.TextField(blank=True, validators=[django.core.validators.MaxLengthValidator(4000)])),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "owner_team",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.team"
                    ),
                ),
                ("skills", models.ManyToManyField(blank=True, related_name="collections", to="registry.skill")),
            ],
            options={
                "ordering": ["slug"],
            },
        ),
        migrations.CreateModel(
            name="SkillVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.CharField(max_length=64)),
                ("digest", models.CharField(editable=False, help_text="SHA-256 of the canonical content.", max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("pending", "Waiting for review"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                            ("deprecated", "Deprecated"),
                        ],
                        default="draft",
                        editable=False,
                        max_length=16,
                    ),
                ),
                (
                    "found_by_refresh",
                    models.BooleanField(default=False, editable=False, help_text="The upstream changed by itself; nobody proposed this."),
                ),
                ("submitted_at", models.DateTimeField(editable=False, null=True)),
                ("reviewed_at", models.DateTimeField(editable=False, null=True)),
                ("reason", models.TextField(blank=True, editable=False, validators=[django.core.validators.MaxLengthValidator(2000)])),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("frontmatter", models.JSONField(default=dict, editable=False)),
                ("body", models.TextField(blank=True, editable=False)),
                ("size", models.PositiveBigIntegerField(default=0, editable=False)),
                ("file_count", models.PositiveIntegerField(default=0, editable=False)),
                ("problems", models.JSONField(default=list, editable=False)),
                ("source", models.CharField(blank=True, editable=False, help_text="Where it was imported from.", max_length=500)),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reviewed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("skill", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="registry.skill")),
                (
                    "submitted_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="SkillFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("path", models.CharField(max_length=500)),
                ("executable", models.BooleanField(default=False)),
                ("size", models.PositiveBigIntegerField()),
                ("blob", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="files", to="registry.blob")),
                (
                    "version",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="files", to="registry.skillversion"),
                ),
            ],
            options={
                "ordering": ["path"],
            },
        ),
        migrations.AddField(
            model_name="skill",
            name="live_version",
            field=models.ForeignKey(
                editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="registry.skillversion"
            ),
        ),
        migrations.CreateModel(
            name="Tool",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=128)),
                ("definition", models.BinaryField(default=b"")),
                ("digest", models.CharField(blank=True, editable=False, max_length=64)),
                ("approved", models.BooleanField(default=False, editable=False)),
                ("withheld", models.BooleanField(default=False, editable=False)),
                (
                    "price",
                    usage.exact.ExactDecimalField(
                        blank=True,
                        decimal_places=12,
                        max_digits=24,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                        verbose_name="price per call (USD)",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("server", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="tools", to="registry.server")),
                (
                    "version",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="registry.serverversion",
                    ),
                ),
            ],
            options={
                "ordering": ["server__slug", "name"],
                "permissions": [("use_tool", "Can call the tool")],
            },
        ),
        migrations.CreateModel(
            name="ToolDefinition",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=128)),
                ("definition", models.BinaryField(default=b"")),
                ("digest", models.CharField(blank=True, editable=False, max_length=64)),
                ("position", models.PositiveIntegerField(default=0)),
                (
                    "version",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="definitions", to="registry.serverversion"),
                ),
            ],
            options={
                "ordering": ["position"],
            },
        ),
        migrations.CreateModel(
            name="Toolset",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "discoverable",
                    models.BooleanField(
                        default=False,
                        help_text="Everybody may find it in the catalog and request access. Otherwise only those who may use it see it.",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("frozen", "Frozen"), ("retired", "Retired")],
                        default="active",
                        editable=False,
                        max_length=16,
                    ),
                ),
                (
                    "status_reason",
                    models.TextField(blank=True, editable=False, validators=[django.core.validators.MaxLengthValidator(2000)]),
                ),
                ("status_at", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "slug",
                    models.CharField(
                        help_text="Its address: /mcp/ and this. No server has the same.",
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9](?:-?[a-z0-9])*\\Z",
                                "Use lower-case letters, digits and single hyphens, with a letter or digit at both ends.",
                            )
                        ],
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "description",
                    models.TextField(
                        blank=True,
                        help_text="Markdown, shown in the catalog.",
                        validators=[django.core.validators.MaxLengthValidator(4000)],
                    ),
                ),
                ("members", models.JSONField(default=list, help_text='Patterns such as "weather/get_forecast" or "tracker/*".')),
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
                "ordering": ["slug"],
                "permissions": [("use_toolset", "Can call the tools of the toolset")],
            },
        ),
        migrations.CreateModel(
            name="AccessRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("target_id", models.PositiveBigIntegerField()),
                ("item_ref", models.CharField(max_length=300)),
                ("purpose", models.TextField(validators=[django.core.validators.MaxLengthValidator(2000)])),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "Waiting"), ("approved", "Approved"), ("rejected", "Rejected"), ("withdrawn", "Withdrawn")],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "requester",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
                (
                    "target_type",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="contenttypes.contenttype"),
                ),
                ("team", models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="identity.team")),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "pending")),
                        fields=("requester", "target_type", "target_id"),
                        name="registry_access_one_pending",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="agentversion",
            constraint=models.UniqueConstraint(fields=("agent", "version"), name="registry_agent_version_once"),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(fields=["decision", "-id"], name="registry_review_inbox"),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(fields=["item_ref", "-id"], name="registry_review_item"),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.UniqueConstraint(
                condition=models.Q(("decision", "pending")), fields=("subject_type", "subject_id"), name="registry_review_one_pending"
            ),
        ),
        migrations.AddIndex(
            model_name="searchdocument",
            index=models.Index(fields=["kind", "title"], name="registry_search_kind"),
        ),
        migrations.AddConstraint(
            model_name="searchdocument",
            constraint=models.UniqueConstraint(fields=("kind", "object_id"), name="registry_search_once"),
        ),
        migrations.AddConstraint(
            model_name="serverversion",
            constraint=models.UniqueConstraint(fields=("server", "version"), name="registry_server_version_once"),
        ),
        migrations.AddConstraint(
            model_name="skillversion",
            constraint=models.UniqueConstraint(fields=("skill", "version"), name="registry_skill_version_once"),
        ),
        migrations.AddConstraint(
            model_name="skillfile",
            constraint=models.UniqueConstraint(fields=("version", "path"), name="registry_file_once_per_version"),
        ),
        migrations.AddConstraint(
            model_name="tool",
            constraint=models.UniqueConstraint(fields=("server", "name"), name="registry_tool_once_per_server"),
        ),
        migrations.AddConstraint(
            model_name="tooldefinition",
            constraint=models.UniqueConstraint(fields=("version", "name"), name="registry_definition_once_per_version"),
        ),
    ]
