/**
 * The way back to the chat.
 * @module
 */

import type { ComponentChildren } from "preact";
import type { Configuration } from "../common/configuration.ts";

interface ChatLinkProps {
  readonly configuration: Configuration;
  readonly children: ComponentChildren;
}

/** A link to the chat with the bot; nothing where its number is not known. */
export function ChatLink({ configuration: { bot_number }, children }: ChatLinkProps) {
  if (!bot_number) return null;
  return <a class="button" href={`https://wa.me/${bot_number.slice(1)}`}>{children}</a>;
}
