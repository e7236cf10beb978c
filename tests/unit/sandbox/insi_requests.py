"""A sound request to INSi, written by hand, and requests with exactly one defect each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SOUND = """<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns:bam="urn:siram:bam:ctxbam"
 xmlns:lps="urn:siram:lps:ctxlps" xmlns:wsa="http://www.w3.org/2005/08/addressing"
 xmlns:ins="http://www.cnamts.fr/INSiRecSans"><soap:Header>
<bam:ContexteBAM Version="01_02"><bam:Id>c1a2ff23-fc05-4bd1-b500-1ec7d3178f1c</bam:Id>
<bam:Temps>2026-11-22T10:00:00.000Z</bam:Temps><bam:Emetteur>499700001011000</bam:Emetteur><bam:COUVERTURE/></bam:ContexteBAM>
<lps:ContexteLPS Nature="CTXLPS" Version="01_00"><lps:Id>1f7425e2-b913-415c-adaa-785ee1076a70</lps:Id>
<lps:Temps>2026-11-22T10:00:00.000Z</lps:Temps><lps:Emetteur>499700001011000</lps:Emetteur>
<lps:LPS><lps:IDAM R="4">BACASABLE0001</lps:IDAM><lps:Version>1</lps:Version><lps:Instance>poste-1</lps:Instance>
<lps:Nom>urn:lps:essai</lps:Nom></lps:LPS>
</lps:ContexteLPS>
<wsa:Action>urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite</wsa:Action>
<wsa:MessageID>uuid:5237f6ac-a5ee-4505-89fb-d25d9180dafd</wsa:MessageID>
</soap:Header><soap:Body><ins:RECSANSVITALE><ins:NomNaissance>ESSAI-HISTO</ins:NomNaissance><ins:Prenom>PIERRE-ALAIN</ins:Prenom><ins:Sexe>M</ins:Sexe><ins:DateNaissance>2009-07-14</ins:DateNaissance><ins:LieuNaissance>63220</ins:LieuNaissance></ins:RECSANSVITALE></soap:Body></soap:Envelope>
"""
CONTENT_TYPE = "application/soap+xml; charset=utf-8"


@dataclass(frozen=True)
class Defect:
    """How to spoil the sound request, and what the refusal must say: a code of the service, or words."""

    spoil: Callable[[str], str]
    says: str
    code: str = "Sender"
    content_type: str = CONTENT_TYPE


def swap(old: str, new: str, says: str, code: str = "Sender") -> Defect:
    """One text in place of another, which must be there exactly once."""

    def spoil(text: str) -> str:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        return text.replace(old, new)

    return Defect(spoil, says, code)


def between(start: str, end: str, new: str, says: str) -> Defect:
    """Whatever stands from `start` to `end` replaced."""

    def spoil(text: str) -> str:
        first = text.index(start)
        return text[:first] + new + text[text.index(end, first) + len(end) :]

    return Defect(spoil, says)


BAM_TIME = "<bam:Temps>2026-11-22T10:00:00.000Z</bam:Temps>"
GIVEN = "<ins:Prenom>PIERRE-ALAIN</ins:Prenom>"
SEX = "<ins:Sexe>M</ins:Sexe>"
PLACE = "<ins:LieuNaissance>63220</ins:LieuNaissance>"
SOFTWARE_NAME = "<lps:Nom>urn:lps:essai</lps:Nom>"

DEFECTS: dict[str, Defect] = {
    # transport
    "media type of SOAP 1.1": Defect(lambda t: t, "Content-Type", content_type="text/xml"),
    "another action in the media type": Defect(
        lambda t: t, "Content-Type", content_type='application/soap+xml; action="urn:autre"'
    ),
    # envelope
    "not XML": Defect(lambda _: "{}", "illisible"),
    "XML cut short": Defect(lambda t: t[:-30], "illisible"),
    "a document type": Defect(lambda t: t.replace("?>", "?><!DOCTYPE x>", 1), "illisible"),
    "SOAP 1.1": swap(
        "http://www.w3.org/2003/05/soap-envelope",
        "http://schemas.xmlsoap.org/soap/envelope/",
        "SOAP 1.2",
        "VersionMismatch",
    ),
    "no header": between("<soap:Header>", "</soap:Header>", "", "Header puis un Body"),
    "no body": between("<soap:Body>", "</soap:Body>", "", "Header puis un Body"),
    "two bodies": swap("</soap:Body>", "</soap:Body><soap:Body/>", "Header puis un Body"),
    "a header that must be understood": swap(
        "</soap:Header>",
        '<x:y xmlns:x="urn:x" soap:mustUnderstand="true"/></soap:Header>',
        "non compris",
        "MustUnderstand",
    ),
    # addressing
    "no action": between("<wsa:Action>", "</wsa:Action>", "", "wsa:Action"),
    "another action": swap("1.0.0:rechercherInsAvecTraitsIdentite", "1.0.0:rechercherInsAvecCarteVitale", "wsa:Action"),
    "two actions": swap("<wsa:MessageID>", "<wsa:Action>urn:x</wsa:Action><wsa:MessageID>", "wsa:Action"),
    "no message id": between("<wsa:MessageID>", "</wsa:MessageID>", "", "wsa:MessageID"),
    "message id that is no uuid": swap("uuid:5237f6ac-a5ee-4505-89fb-d25d9180dafd", "message-1", "wsa:MessageID"),
    # context of the health insurance
    "no BAM context": between("<bam:ContexteBAM", "</bam:ContexteBAM>", "", "ContexteBAM"),
    "two BAM contexts": swap("<lps:ContexteLPS", '<bam:ContexteBAM Version="01_02"/><lps:ContexteLPS', "ContexteBAM"),
    "older BAM context": swap('Version="01_02"', 'Version="01_00"', "01_02"),
    "BAM without coverage": swap("<bam:COUVERTURE/>", "", "COUVERTURE"),
    "BAM in another order": swap(
        "<bam:Emetteur>499700001011000</bam:Emetteur><bam:COUVERTURE/>",
        "<bam:COUVERTURE/><bam:Emetteur>499700001011000</bam:Emetteur>",
        "dans cet ordre",
    ),
    "BAM without emitter": swap("<bam:Emetteur>499700001011000</bam:Emetteur>", "<bam:Emetteur/>", "Emetteur vide"),
    "BAM id that is no uuid": swap("c1a2ff23-fc05-4bd1-b500-1ec7d3178f1c", "42", "ContexteBAM/Id"),
    "BAM time without zone": swap(BAM_TIME, "<bam:Temps>2026-11-22T10:00:00</bam:Temps>", "ContexteBAM/Temps"),
    "BAM time that is not": swap(BAM_TIME, "<bam:Temps>2026-11-31T10:00:00Z</bam:Temps>", "ContexteBAM/Temps"),
    "BAM time of another year": swap(BAM_TIME, "<bam:Temps>2025-11-22T10:00:00Z</bam:Temps>", "trop éloigné"),
    # context of the software
    "no LPS context": between("<lps:ContexteLPS", "</lps:ContexteLPS>", "", "ContexteLPS"),
    "another LPS version": swap('Version="01_00"', 'Version="01_01"', "01_00"),
    "LPS in the namespace of BAM": swap("<lps:Version>1</lps:Version>", "<bam:Version>1</bam:Version>", "LPS"),
    "no IDAM": swap('<lps:IDAM R="4">BACASABLE0001</lps:IDAM>', "", "IDAM"),
    "IDAM of another kind": swap('R="4"', 'R="1"', 'R="4"'),
    "empty IDAM": swap("BACASABLE0001", " ", "IDAM vide"),
    "unknown IDAM": swap("BACASABLE0001", "INCONNU0001", "desir_550"),
    "software without name": swap(SOFTWARE_NAME, "", "Nom"),
    "software with an empty name": swap(SOFTWARE_NAME, "<lps:Nom/>", "Nom vide"),
    # traits
    "an empty body": between("<ins:RECSANSVITALE>", "</ins:RECSANSVITALE>", "", "RECSANSVITALE"),
    "another request": Defect(lambda t: t.replace("RECSANSVITALE", "RECVITALE"), "RECSANSVITALE"),
    "another namespace": swap("http://www.cnamts.fr/INSiRecSans", "http://www.cnamts.fr/INSiRecVit", "RECSANSVITALE"),
    "no given name": swap(GIVEN, "", "dans cet ordre"),
    "no family name": between("<ins:NomNaissance>", "</ins:NomNaissance>", "", "dans cet ordre"),
    "no sex": swap(SEX, "", "dans cet ordre"),
    "sex before given name": swap(GIVEN + SEX, SEX + GIVEN, "dans cet ordre"),
    "an element of our own": swap(PLACE, PLACE + "<ins:Email>x</ins:Email>", "dans cet ordre"),
    "name in small letters": swap("ESSAI-HISTO", "Essai-Histo", "motif"),
    "name with an accent": swap("PIERRE-ALAIN", "PIERRE-ÉLIE", "motif"),
    "name with a digit": swap("ESSAI-HISTO", "ESSAI2", "motif"),
    "name that ends with a hyphen": swap("ESSAI-HISTO", "ESSAI-", "motif"),
    "sex unknown": swap(SEX, "<ins:Sexe>I</ins:Sexe>", "Sexe"),
    "date the other way round": swap("2009-07-14", "14-07-2009", "DateNaissance"),
    "date without hyphens": swap("2009-07-14", "20090714", "DateNaissance"),
    "a day that is not": swap("2009-07-14", "2009-02-30", "DateNaissance"),
    "born tomorrow": swap("2009-07-14", "2026-11-23", "DateNaissance"),
    "a place of four characters": swap("63220", "6322", "LieuNaissance"),
    "an empty place": swap("63220", "", "LieuNaissance"),
    "a place in words": swap("63220", "RIOM", "LieuNaissance"),
}
