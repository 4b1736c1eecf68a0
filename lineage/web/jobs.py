"""The page of jobs: what waits, runs, failed and is done, and whether anybody looks after it at all."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from lineage.config import current
from lineage.db.configuration import User
from lineage.services import beats, job_records, jobs
from lineage.services.clock import now_us
from lineage.web.pages import Page

BUSY_SECONDS, IDLE_SECONDS = 2, 10
"""Between two looks of a page that stays open, while something is in line or running, and otherwise."""


class Jobs(Page):
    """`?part=lists` is the part that moves, which the page asks for again and again."""

    section = "jobs"
    template_name = "jobs.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        lists = job_records.lists()
        busy = bool(lists.queued or lists.running)
        return self.render(
            template="jobs/_lists.html" if request.GET.get("part") == "lists" else "",
            lists=lists,
            late=[beat for beat in beats.condition() if beat.late],
            broker=bool(current().broker),
            now_us=now_us(),
            seconds=BUSY_SECONDS if busy else IDLE_SECONDS,
            may_retry=self.person.may(User.Role.OPERATOR),
        )


class RetryJob(Page):
    role = User.Role.OPERATOR
    section = "jobs"

    def post(self, request: HttpRequest, job_id: int) -> HttpResponse:
        jobs.retry(job_id)
        messages.success(request, f"Job {job_id} is in line again.")
        return redirect("jobs")
