"""The words of mails to visitors, by language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .prechat import in_language


class Texts(NamedTuple):
    """The words around an answer."""

    subject: str
    #: before the answer; with the name of the waiter
    answered: str
    #: the same, where nobody knows the name
    answer: str
    #: before what the visitor has written; with the date
    asked: str
    #: before the address of the page
    page: str


_BY_LANGUAGE: Mapping[str, Texts] = {
    "en": Texts(
        "An answer to your message", "{name} has answered you:", "The answer:",
        "Your message of {date}:", "You wrote from this page:",
    ),
    "zh": Texts(
        "您的留言有了回复", "{name} 回复了您：", "回复：", "您在 {date} 的留言：",
        "您留言时所在的页面：",
    ),
    "de": Texts(
        "Antwort auf Ihre Nachricht", "{name} hat Ihnen geantwortet:", "Die Antwort:",
        "Ihre Nachricht vom {date}:", "Sie haben von dieser Seite geschrieben:",
    ),
    "fr": Texts(
        "Réponse à votre message", "{name} vous a répondu :", "La réponse :",
        "Votre message du {date} :", "Vous avez écrit depuis cette page :",
    ),
    "es": Texts(
        "Respuesta a su mensaje", "{name} le ha respondido:", "La respuesta:",
        "Su mensaje del {date}:", "Escribió desde esta página:",
    ),
    "pt": Texts(
        "Resposta à sua mensagem", "{name} respondeu:", "A resposta:",
        "A sua mensagem de {date}:", "Escreveu a partir desta página:",
    ),
    "ru": Texts(
        "Ответ на ваше сообщение", "{name} отвечает вам:", "Ответ:",
        "Ваше сообщение от {date}:", "Вы написали с этой страницы:",
    ),
    "ja": Texts(
        "メッセージへの返信", "{name} からの返信：", "返信：",
        "{date} にいただいたメッセージ：", "送信元のページ：",
    ),
    "ko": Texts(
        "메시지에 대한 답변", "{name} 님의 답변:", "답변:",
        "{date}에 보내신 메시지:", "메시지를 보내신 페이지:",
    ),
    "ar": Texts(
        "رد على رسالتك", "ردّ عليك {name}:", "الرد:",
        "رسالتك بتاريخ {date}:", "كتبت من هذه الصفحة:",
    ),
}  # fmt: skip

_TAGS = {language: language for language in _BY_LANGUAGE}

LANGUAGES = frozenset(_BY_LANGUAGE)


def texts_in(language: str) -> Texts:
    """The words in *language*, a tag; in English where there are none."""
    return _BY_LANGUAGE[in_language(_TAGS, language)]
