/**
 * What the bot has to know, from its environment. SUPABASE_URL and BOT_SECRET are read by ../bot.ts.
 * @module
 */

/** The settings of the bot. */
export interface Settings {
  /** The TCP port that the bot listens on, on 127.0.0.1: what is in front of it speaks TLS. */
  readonly port: number;
  /** The file that keeps what has arrived, so that a restart loses nothing. */
  readonly stateFile: string;
  /** What you enter as "Verify token" where you set up WhatsApp's webhook. */
  readonly verifyToken: string;
  /** The app's secret, which signs what WhatsApp sends. */
  readonly appSecret: string;
  /** What lets the bot send messages. */
  readonly accessToken: string;
  /** The id of the bot's own number: digits, and not the number itself. */
  readonly phoneNumberId: string;
  /** The address of the Graph API, with its version. */
  readonly graphUrl: string;
  /** What signs the events of the backend. */
  readonly eventsSecret: string;
}

/** A variable: its form, and its value if it is not set. */
type Rule = readonly [form: RegExp, otherwise?: string];

const RULES = {
  PORT: [/^[0-9]{1,5}$/, "8080"],
  STATE_FILE: [/./, "whatsapp-bot.sqlite"],
  WHATSAPP_VERIFY_TOKEN: [/^.{8,}$/],
  WHATSAPP_APP_SECRET: [/^[\x21-\x7e]{16,}$/],
  WHATSAPP_ACCESS_TOKEN: [/^[\x21-\x7e]+$/],
  WHATSAPP_PHONE_NUMBER_ID: [/^[0-9]+$/],
  GRAPH_API_URL: [/^https?:\/\/\S+\/v[0-9.]+$/, "https://graph.facebook.com/v23.0"],
  EVENTS_SECRET: [/^whsec_[A-Za-z0-9+/]{32,}=*$/],
} as const satisfies Record<string, Rule>;

/**
 * Reads the settings.
 *
 * @throws {Error} that names every variable which is missing or not valid, and repeats no value.
 */
export function readSettings(variables: Readonly<Record<string, string | undefined>>): Settings {
  const mistakes: string[] = [];
  const read = (name: keyof typeof RULES): string => {
    const [form, otherwise]: Rule = RULES[name];
    const value = variables[name] || otherwise;
    if (value === undefined) mistakes.push(`${name} is not set`);
    else if (!form.test(value)) mistakes.push(`${name} is not valid: it must match ${form.source}`);
    return value ?? "";
  };
  const settings: Settings = {
    port: Number(read("PORT")),
    stateFile: read("STATE_FILE"),
    verifyToken: read("WHATSAPP_VERIFY_TOKEN"),
    appSecret: read("WHATSAPP_APP_SECRET"),
    accessToken: read("WHATSAPP_ACCESS_TOKEN"),
    phoneNumberId: read("WHATSAPP_PHONE_NUMBER_ID"),
    graphUrl: read("GRAPH_API_URL"),
    eventsSecret: read("EVENTS_SECRET"),
  };
  if (mistakes.length > 0) throw new Error(`The bot cannot start:\n  ${mistakes.join("\n  ")}`);
  return settings;
}
