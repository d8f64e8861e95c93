"""
click in two languages: commands and options whose help is (Spanish, English), and click's own words in Spanish.

The language is asked for when a text is shown, not when a command is made. Light: ``--help`` pays for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from click import core, decorators, exceptions, formatting, parser, termui, types

from worker.cli.click_words import ONE_AND_MANY, SPANISH_WORDS
from worker.language import language_of_help
from worker.speech import Speech

Both = tuple[str, str]
"""A text in Spanish and in English."""


def say(es: str, en: str) -> str:
    """A text about what was typed, in the language of help."""
    return Speech(language_of_help()).say(es, en)


# -- what we add to click ----------------------------------------------------------------------------------------------
class Option(click.Option):
    """An option with help in two languages; a metavar may have two as well."""

    def __init__(self, *args: Any, told: Both, named: Both | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.told, self._named = told, named

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        self.help = say(*self.told)
        return super().get_help_record(ctx)

    def make_metavar(self, ctx: click.Context) -> str:
        return say(*self._named) if self._named else super().make_metavar(ctx)


class Argument(click.Argument):
    """An argument with a metavar in two languages."""

    def __init__(self, *args: Any, named: Both, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._named = named

    def make_metavar(self, ctx: click.Context) -> str:
        return say(*self._named)


class _Spoken(click.Command):
    """What commands and groups of them have in common: help in two languages."""

    told: Both = ("", "")
    short: Both = ("", "")
    after: Both = ("", "")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.help = inspect.cleandoc(say(*self.told))
        super().format_help_text(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.epilog = say(*self.after)
        super().format_epilog(ctx, formatter)

    def get_short_help_str(self, limit: int = 45) -> str:
        return say(*self.short)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        found = super().get_help_option(ctx)  # made once, and kept
        if found is not None:
            found.help = _word("Show this message and exit.")
        return found

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        self.options_metavar = say("[OPCIONES]", "[OPTIONS]")
        return super().collect_usage_pieces(ctx)


class Command(_Spoken):
    """A command."""


class Group(_Spoken, click.Group):
    """A command of commands."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        self.subcommand_metavar = say("ORDEN [ARGUMENTOS]...", "COMMAND [ARGS]...")
        return super().collect_usage_pieces(ctx)


Function = Callable[..., Any]


def command(name: str, es: str, *, short: Both = ("", ""), after: Both = ("", "")) -> Callable[[Function], Command]:
    """
    A command whose help is *es*, and in English the docstring of the function.

    Args:
        short: What the group above it shows of it.
        after: What stands below the options.
    """

    def decorate(function: Function) -> Command:
        made = click.command(name, cls=Command)(function)
        made.told, made.short, made.after = (es, function.__doc__ or ""), short, after
        return made

    return decorate


def group(name: str, es: str, *, runs_alone: bool = False) -> Callable[[Function], Group]:
    """
    A group of commands; its help as :func:`command` has it.

    Args:
        runs_alone: Whether it does something itself, called without a command of it.
    """

    def decorate(function: Function) -> Group:
        made = click.group(name, cls=Group, invoke_without_command=runs_alone)(function)
        made.told = (es, function.__doc__ or "")
        return made

    return decorate


_Made = TypeVar("_Made", bound=click.Command)


def below(parent: click.Group, made: _Made) -> _Made:
    """Put a command into a group."""
    parent.add_command(made)
    return made


def option(*declared: str, told: Both, named: Both | None = None, **kwargs: Any) -> Callable[[Function], Function]:
    """An option: ``click.option`` with (Spanish, English) in place of ``help`` and ``metavar``."""
    return click.option(*declared, cls=Option, told=told, named=named, **kwargs)


def argument(*declared: str, named: Both, **kwargs: Any) -> Callable[[Function], Function]:
    """An argument: ``click.argument`` with (Spanish, English) in place of ``metavar``."""
    return click.argument(*declared, cls=Argument, named=named, **kwargs)


# -- what click says by itself -----------------------------------------------------------------------------------------
def _word(text: str) -> str:
    return SPANISH_WORDS.get(text, text) if language_of_help() == "es" else text


def _words(one: str, many: str, n: int) -> str:
    text = one if n == 1 else many
    return ONE_AND_MANY.get(text, text) if language_of_help() == "es" else text


def _speak(modules: Sequence[Any]) -> None:
    """
    click asks gettext under these two names, and gettext wants compiled catalogues on disk and the language in the
    environment of the process, where programs started from here would inherit it. So the names are given our table.
    """
    for module in modules:
        for name, ours in (("_", _word), ("ngettext", _words)):
            if hasattr(module, name):
                setattr(module, name, ours)


_speak((core, decorators, exceptions, formatting, parser, termui, types))
