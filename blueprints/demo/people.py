"""Who comes to the demo's shop by itself, and what they want to know."""

from __future__ import annotations

from collections.abc import Iterator
from math import lcm
from typing import NamedTuple

from services.identity import Identity

FIRST = (
    "Mia", "Jonas", "Leila", "Tomás", "Aiko", "Sam", "Ines", "Oskar", "Priya", "Noah",
    "Zoë", "Mateo", "Hanna", "Emre", "Lucía", "Wei", "Freya", "Idris", "Clara", "Yusuf",
)  # fmt: skip
LAST = (
    "Lindqvist", "Okafor", "Moreau", "Haddad", "Tanaka", "Brandt", "Silva", "Novak", "Rossi",
    "Byrne", "Kaya", "Mendes", "Larsen", "Chen", "Weiss",
)  # fmt: skip


class Topic(NamedTuple):
    """A visitor's side of a conversation: a question, and a reply to each answer."""

    page: str
    question: str
    replies: tuple[str, ...]


TOPICS = (
    Topic(
        "/pieces/harbour-teapot",
        "Hello! Does the harbour teapot come with a strainer?",
        ("Ah, good. And would a replacement lid be possible if I drop it?", "Perfect, thank you!"),
    ),
    Topic(
        "/pieces/dawn-mug",
        "Hi, are the dawn mugs all a bit different or can I get six that match?",
        ("That sounds lovely, actually.", "Then I will take six. Thanks for your help!"),
    ),
    Topic(
        "/",
        "Do you deliver to Norway? And roughly how long does it take?",
        ("OK. Is there anything to pay at customs?", "Good to know. Thank you."),
    ),
    Topic(
        "/pieces/tide-plate",
        "One of the four tide plates arrived with a chip in the rim. What should I do?",
        (
            "Order 20417. I can send you a photo by e-mail.",
            "That is very kind. Shall I send the broken one back?",
            "Great, thanks for sorting it so quickly.",
        ),
    ),
    Topic(
        "/pieces/reed-vase",
        "Is the reed vase heavy enough to stand by an open window?",
        ("We have two cats, so I have to ask :)", "Sold. Thank you!"),
    ),
    Topic(
        "/pieces/pebble-bowl",
        "Can the pebble bowl go into the oven at 180 degrees?",
        ("Oh, that is a pity. Do you make anything that can?", "I will have a look, thanks."),
    ),
    Topic(
        "/",
        "Hi there, I ordered on Monday and have not had a confirmation yet. Order 20433.",
        ("Strange, I checked the spam folder too.", "Got it just now. Thank you so much."),
    ),
    Topic(
        "/pieces/ember-lantern",
        "Could the ember lantern stay on a covered balcony over the winter?",
        ("It does get below zero here, yes.", "Better inside, then. Thanks for being honest."),
    ),
    Topic(
        "/",
        "Good morning! Do you do gift wrapping?",
        ("How nice. Can I add a card with a few words?", "Wonderful, that was quick."),
    ),
    Topic(
        "/pieces/dawn-mug",
        "I would like to change my order from two mugs to three. Is it too late?",
        ("20441, under Brandt.", "You are a star. Bye!"),
    ),
    Topic(
        "/",
        "你好，请问你们可以寄到上海吗？",
        ("运费大概是多少？", "好的，谢谢！"),
    ),
    Topic(
        "/pieces/tide-plate",
        "What is the difference between stoneware and porcelain, for everyday plates?",
        ("So porcelain chips less?", "I have learned something. Thanks!"),
    ),
    Topic(
        "/",
        "Can I visit the workshop? We are in the area next week.",
        ("Thursday afternoon would be ideal. There are four of us.", "See you then!"),
    ),
    Topic(
        "/pieces/harbour-teapot",
        "Is the teapot back in stock before Christmas?",
        ("Could you put one aside for me?", "Thank you, that makes my mother very happy."),
    ),
)

#: what a visitor asks once if the waiter is silent
STILL_THERE = ("Hello?", "Are you still there?", "No hurry, I am just making sure you saw this.")


def people(count: int) -> Iterator[Identity]:
    """At most *count* different visitors; always the same, so that some have been here before."""
    for number in range(min(count, len(FIRST) * len(LAST))):
        # Both lists are walked in a circle. After each common round one of them goes a step ahead.
        step = number // lcm(len(FIRST), len(LAST))
        name = f"{FIRST[number % len(FIRST)]} {LAST[(number + step) % len(LAST)]}"
        yield Identity(f"demo-visitor-{number}", name)
