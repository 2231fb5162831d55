"""What somebody may use, and why: the grants of the account itself and of every team it belongs to."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from identity.models import Team, User
from identity.queries import grant_rows, team_path
from registry.models import Server, Tool


class Held:
    """All grants that reach one user, read once: two queries per team on the way up."""

    def __init__(self, user: User) -> None:
        self.user = user
        self._holders: dict[tuple[int, int], list[User | Team]] = defaultdict(list)
        reaching: list[User | Team] = [user, *team_path(user.team)]
        for holder in reaching:
            for content_type, pk in grant_rows(holder).values_list("content_type_id", "object_pk"):
                self._holders[content_type, int(pk)].append(holder)

    def keys(self, model: type[Model]) -> set[int]:
        """Primary keys of the granted objects of one kind."""
        kind = ContentType.objects.get_for_model(model).pk
        return {pk for content_type, pk in self._holders if content_type == kind}

    def reaches(self, obj: Any) -> bool:
        """Whether calls of this thing pass; a tool's do where its server is granted."""
        return bool(self._of(obj)) or (isinstance(obj, Tool) and bool(self._of(obj.server)))

    def reasons(self, obj: Any) -> list[str]:
        """Sentences that say by which grants the user may use it. Empty: not at all."""
        found = [self._sentence(holder) for holder in self._of(obj)]
        if isinstance(obj, Tool):
            found += [f"{self._sentence(holder)[:-1]}, with the whole server." for holder in self._of(obj.server)]
        return found

    def tools_of(self, server: Server) -> set[int]:
        """Primary keys of the server's tools that are granted one by one."""
        wanted = self.keys(Tool)
        return set(Tool.objects.filter(server=server, pk__in=wanted).values_list("pk", flat=True)) if wanted else set()

    def _of(self, obj: Model) -> list[User | Team]:
        return self._holders.get((ContentType.objects.get_for_model(obj).pk, obj.pk), [])

    def _sentence(self, holder: User | Team) -> str:
        if isinstance(holder, User):
            return "It was granted to you."
        if holder.pk == self.user.team_id:
            return f"It was granted to your team, {holder}."
        return f"It was granted to {holder}, which your team {self.user.team} belongs to."
