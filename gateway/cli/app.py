"""Assembles the commands and turns errors into one line of French and an exit status."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gateway.cli import (
    annuaire,
    audit,
    audit_export,
    config,
    demo,
    dmp,
    doctor,
    documents,
    evidence,
    ins,
    inspect,
    journal,
    keys,
    linked,
    mapping,
    obligations,
    patient,
    queue,
    queue_pauses,
    queue_receipts,
    receipts,
    report,
    retention,
    run,
    sandbox,
    serve,
    session,
    store,
    token,
    traces,
    validate,
)
from gateway.cli.common import close_opened
from gateway.cli.output import exit_status, print_json, say
from gateway.errors import GatewayError, InputError

app = typer.Typer(
    name="kine-gateway",
    help="Envoie les bilans et comptes rendus de kinésithérapie (MSSanté, DMP) et prouve ce qui s'est passé.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
documents.register(app)
run.register(app)
serve.register(app)
linked.register(queue.app, app)
queue_receipts.register(queue.app)
queue_pauses.register(queue.app)
app.add_typer(queue.app, name="queue")
app.add_typer(receipts.app, name="receipts")
app.add_typer(journal.app, name="journal")
app.add_typer(session.app, name="session")
app.add_typer(store.app, name="store")
app.add_typer(traces.app, name="traces")
sandbox.register(app)
demo.register(app)
doctor.register(app)
inspect.register(app)
keys.register(app)
obligations.register(app)
retention.register(app)
validate.register(app)
report.register(app)
evidence.register(app)
app.add_typer(ins.app, name="ins")
app.add_typer(patient.app, name="patient")
app.add_typer(dmp.app, name="dmp")
app.add_typer(config.app, name="config")
app.add_typer(mapping.app, name="mapping")
app.add_typer(annuaire.app, name="annuaire")
app.add_typer(token.app, name="token")
audit_export.register(audit.app)
app.add_typer(audit.app, name="audit")


def _version(wanted: bool) -> None:
    if wanted:
        from gateway import __version__

        typer.echo(f"kine-gateway {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 (its callback answers)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Affiche la version.")
    ] = False,
) -> None:
    """Passerelle des documents de kinésithérapie."""
    from gateway.cli.logs import strangers_on_stderr

    context.with_resource(strangers_on_stderr(as_json=False))
    context.call_on_close(close_opened)


def main() -> None:
    """Entry point of the `kine-gateway` command."""
    try:
        app()
    except GatewayError as fault:
        if "--json" in sys.argv:
            findings = [f.as_dict() for f in fault.findings] if isinstance(fault, InputError) else []
            print_json(
                {"error": {"code": fault.code, "message": fault.message, "advice": fault.advice}, "findings": findings}
            )
        say(f"kine-gateway : {fault}")
        sys.exit(exit_status(fault))
    except BrokenPipeError:
        sys.exit(0)
