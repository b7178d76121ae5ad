/**
 * Everything that the account page says, in English. The other languages have the same keys with the
 * same parameters, or they do not compile.
 * @module
 */

import { plurals } from "../../common/plural.ts";

const plural = plurals("en");

const credits = (count: number, text: string) =>
  `${text} ${plural(count, { one: "credit", other: "credits" })}`;

const gatewayProblem = "Razorpay cannot be reached now. Please try again in a while.";

export const en = {
  title: "Your credits",
  credits,
  creditUnit: (count: number) => plural(count, { one: "credit", other: "credits" }),
  language: "Language",
  loading: "Loading your account",
  retry: "Try again",
  openChat: "Open WhatsApp",

  balance: {
    reserved: (count: number, text: string) =>
      `${credits(count, text)} reserved for jobs under way`,
    remaining: (_count: number, text: string) => `${text} left to spend`,
    debt: (count: number, text: string) =>
      `You owe ${
        credits(count, text)
      }, because a payment went back after its credits were spent. The next credits pay this off.`,
    frozen:
      "This account is frozen: credits cannot be spent or bought now. Please ask in the chat.",
  },

  chart: {
    heading: "Balance over time",
    title: (from: string, to: string) => `Balance from ${from} to ${to}`,
    description: (lowest: string, highest: string, last: string) =>
      `Between ${lowest} and ${highest} credits; ${last} at the end.`,
    highest: (text: string) => `Highest ${text}`,
    table: "The numbers of this picture",
    time: "Time",
    balance: "Balance",
  },

  buy: {
    heading: "Buy credits",
    choose: "Choose a package",
    each: (price: string) => `${price} a credit`,
    pay: (price: string) => `Pay ${price}`,
    preparing: "One moment …",
    safely: (seller: string) => `You pay ${seller} with Razorpay. The price includes taxes.`,
    nothing: "Nothing is for sale now.",
    noPackages: "The packages could not be loaded.",
    description: (name: string, creditsText: string) => `${name}: ${creditsText}`,
    inChat: "You are known here by your WhatsApp account alone, without a phone number. " +
      "Buy in the chat: the bot sends you a link for the payment.",
    offline: "You are offline. You can buy again once you are back online.",
    problems: {
      BLOCKED: "Razorpay’s payment window did not load. Something in this browser may block it. " +
        "Try again, open this page in another browser, or buy in the chat.",
      RATE_LIMITED:
        "There were too many orders for now. Please try again later, or buy in the chat.",
      PACKAGE_NOT_FOUND: "This package is no longer for sale. Please choose another one.",
      ACCOUNT_FROZEN: "This account is frozen, and cannot buy now. Please ask in the chat.",
      GATEWAY_ERROR: gatewayProblem,
      GATEWAY_UNAVAILABLE: gatewayProblem,
      OTHER: "The order could not be made. Please try again in a while.",
    },
  },

  payment: {
    open: {
      title: "The payment window is open",
      text: "Pay there, or close it to come back.",
    },
    confirming: {
      title: "Checking your payment",
      text: "This takes a moment. You can leave this page: the credits come anyway.",
    },
    underWay: {
      title: "A payment is under way",
      text: (name: string, price: string, time: string) =>
        `${price} for ${name}, begun on ${time}. The credits come by themselves once your bank ` +
        "confirms it. You need not pay again.",
    },
    begun: {
      title: "Did you pay?",
      text: (name: string, price: string, time: string) =>
        `You opened the payment of ${price} for ${name} on ${time}. If you approved it, the credits ` +
        "come by themselves. If not, nothing was charged.",
    },
    pending: {
      title: "Not confirmed yet",
      text:
        "Your bank has not confirmed the payment so far. There is nothing to do: once it does, " +
        "the credits come by themselves. If it does not, no money is kept.",
    },
    paid: {
      title: "Payment received",
      text: (count: number, text: string) =>
        `${credits(count, text)} ${plural(count, { one: "has", other: "have" })} been added.`,
    },
    failed: {
      title: "The payment failed",
      text:
        "No credits were added. If money left your account after all, it becomes credits or goes back.",
      reason: (reason: string) => `Razorpay says: “${reason}”`,
    },
    closed: {
      title: "You closed the payment window",
      text:
        "Nothing was confirmed. If you have approved a payment in your UPI app or at your bank, " +
        "the credits come by themselves.",
    },
    returned: {
      title: "Back from the payment",
      text: "No payment is under way here. What has arrived is in your history.",
    },
    unclear: {
      title: "We cannot confirm this payment",
      text: (paymentId: string) => `Please ask in the chat, and name the payment ${paymentId}.`,
    },
    done: "Buy more",
    offline: "You are offline. We ask again as soon as you are back.",
  },

  history: {
    heading: "History",
    empty: "Nothing has happened yet.",
    older: "Show older entries",
    shown: (shown: string, total: string) => `Entries: ${shown} of ${total}`,
    balanceAfter: (text: string) => `Balance ${text}`,
    plus: (count: number, text: string) => `plus ${credits(count, text)}`,
    minus: (count: number, text: string) => `minus ${credits(count, text)}`,
    failed: "The entries could not be loaded.",
    sources: {
      system: { credit: "Welcome gift", debit: "Welcome gift taken back" },
      payment: { credit: "Credits bought", debit: "Purchase taken back" },
      refund: {
        credit: "Refund reversed, credits restored",
        debit: "Credits of a refunded payment",
      },
      dispute: {
        credit: "Dispute ended, credits restored",
        debit: "Credits of a disputed payment",
      },
      merge: { credit: "Moved from another account", debit: "Moved to another account" },
      adjustment: { credit: "Given by support", debit: "Taken by support" },
    },
    actions: {
      image_generation: (count: number, text: string) => count === 1 ? "Image" : `${text} images`,
      video_generation: (count: number, text: string) => count === 1 ? "Video" : `${text} videos`,
      voice_message: (count: number, text: string) =>
        `Voice message, ${text} ${plural(count, { one: "second", other: "seconds" })}`,
      chat: (count: number, text: string) =>
        `Chat, ${text} ${plural(count, { one: "token", other: "tokens" })}`,
    },
    actionNames: {
      image_generation: "Image",
      video_generation: "Video",
      voice_message: "Voice message",
      chat: "Chat",
    },
  },

  link: {
    until: (time: string) => `Open until ${time}`,
    soon: (time: string) =>
      `This page closes at ${time}. To go on after that, write to the bot and get a new link.`,
    expired: {
      title: "This link has ended",
      text:
        "A link works for half an hour, so that nobody else can use it. To get a new one, write to the " +
        "bot in WhatsApp. Your credits are safe.",
    },
    missing: {
      title: "Open this page from the chat",
      text:
        "Your account opens with the link that the bot sends you. Write to the bot in WhatsApp to get one.",
    },
    back:
      "You came back from a payment. If it succeeded, the credits come by themselves, and the chat " +
      "shows them.",
    help: "Questions? Write to the bot in WhatsApp.",
  },

  trouble: {
    offline: {
      title: "You are offline",
      text: "Your account appears as soon as you are back online.",
    },
    failed: {
      title: "Your account did not load",
      text: "Something went wrong on our side. Please try again in a while.",
    },
    limited: {
      title: "Too many tries",
      text: "Please wait a minute, and then try again.",
    },
  },
};

/** What every language says. */
export type Messages = typeof en;
