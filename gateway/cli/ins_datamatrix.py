"""`ins datamatrix`: read the code of a document, or make the one of an identity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import JsonOption, read_input
from gateway.cli.ins_input import read_patient
from gateway.cli.output import ATTENTION, print_findings, print_json, print_table, tell

if TYPE_CHECKING:
    from gateway.api.ins import InsOffice
    from gateway.identity.datamatrix_reader import Reading

app = typer.Typer(help="Datamatrix INS : lire, dessiner.", no_args_is_help=True)

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"BM", b"P5", b"P6", b"GIF8", b"RIFF")


@app.command("read")
def read(
    source: Annotated[
        Path, typer.Argument(metavar="FICHIER|-", help="Image ou texte scanné ; - : entrée standard, où scanner.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Lit un Datamatrix INS et dit chaque défaut. Une lecture ne qualifie jamais une identité."""
    from gateway.api import Gateway

    found = _readings(Gateway.preview().ins, source)
    if as_json:
        print_json([_as_dict(one) for one in found])
    else:
        for one in found:
            _show(one)
        if not found:
            tell("Aucun Datamatrix trouvé dans l'image.")
    raise typer.Exit(0 if found and all(one.ok for one in found) else ATTENTION)


def _readings(office: InsOffice, source: Path) -> list[Reading]:
    if str(source) != "-" and not _is_file(source):
        # Perhaps the scanned text itself: not repeated here, and no argument next time.
        raise typer.BadParameter("donner un fichier (image ou texte), ou - et scanner sur l'entrée standard")
    data = read_input(source)
    if data.startswith(_PICTURES):
        return office.read_datamatrix_image(data)
    return [office.read_datamatrix(data.decode("utf-8", "replace"))]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text longer than a file name may be, or none
        return False


def _as_dict(reading: Reading) -> dict[str, Any]:
    return {"ok": reading.ok, "fields": dict(reading.fields), "findings": [f.as_dict() for f in reading.findings]}


def _show(reading: Reading) -> None:
    from gateway.identity.datamatrix_reader import NAMES

    print_table(("champ", "sens", "valeur"), [(key, NAMES[key], value) for key, value in reading.fields.items()])
    print_findings(f.as_dict() for f in reading.findings)


@app.command("write")
def write(
    file: Annotated[Path, typer.Argument(metavar="FICHIER", help="Document JSON (- : entrée).")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Fichier .png, .svg ou .txt ; sans lui le texte est affiché.")
    ] = None,
    production: Annotated[bool, typer.Option("--production", help="Identité d'un compte de production.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Dessine le Datamatrix INS du patient d'un document, si son identité est qualifiée."""
    from gateway.api import Gateway
    from gateway.settings import Environment

    world = Environment.PRODUCTION if production else Environment.TEST
    text = Gateway.preview().ins.write_datamatrix(read_patient(file), world)
    if out is not None:
        _save(text, out)
    if as_json:
        print_json({"text": text.replace("\x1d", "<GS>"), "file": None if out is None else str(out)})
    else:
        tell(text.replace("\x1d", "<GS>") if out is None else f"Écrit : {out}")


def _save(text: str, out: Path) -> None:
    from gateway.identity import datamatrix, datamatrix_image

    kind = out.suffix.lower()
    if kind not in {".png", ".svg", ".txt"}:
        raise typer.BadParameter("--out : .png, .svg ou .txt")
    if kind == ".txt":
        out.write_bytes(text.encode("ascii"))
        return
    symbol = datamatrix.modules(text)
    if kind == ".png":
        out.write_bytes(datamatrix_image.png(symbol))
    else:
        out.write_text(datamatrix_image.svg(symbol), encoding="utf-8")
