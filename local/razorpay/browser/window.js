/// <reference no-default-lib="true" />
/// <reference lib="dom" />
/// <reference lib="esnext" />
// @ts-check

/**
 * The script of Checkout's window. The window is shown in a frame over the seller's page, which it
 * tells what happens, or instead of that page; then each end is a form that is posted to
 * `callback_url`.
 */

/**
 * What checkout.js makes of the page's options.
 *
 * @typedef {object} Options
 * @property {string} name
 * @property {string} description
 * @property {string} contact
 * @property {string} color
 * @property {boolean} retry
 * @property {number} timeout_seconds
 * @property {boolean} confirm_close
 * @property {boolean} escape
 * @property {boolean} backdropclose
 * @property {string} [callback_url] only if the window is shown instead of the seller's page
 */

/**
 * What the stand-in writes into the document: an order that can be paid, or why it cannot be.
 *
 * @typedef {object} Start
 * @property {string} key_id
 * @property {string} order_id
 * @property {{ amount: number, currency: string } | null} order
 * @property {{ code: string, description: string } | null} error
 * @property {Options | null} options null in a frame: the page sends them
 */

(() => {
  /** @type {Start} */
  const { key_id, order_id, order, error, options: ownOptions } = JSON.parse(
    element("start").textContent ?? "",
  );
  const confirmation = /** @type {HTMLDialogElement} */ (element("confirmation"));
  /** @type {Options} */
  let options;
  /** The origin of the page around the frame. */
  let pageOrigin = "";
  let isPaying = false;
  /** @type {unknown} why the window will have been closed, if not by the customer's wish */
  let dismissReason;

  /** @param {string} id */
  function element(id) {
    return /** @type {HTMLElement} */ (document.getElementById(id));
  }

  /**
   * @param {string} id
   * @param {string} text
   */
  function write(id, text) {
    element(id).textContent = text;
  }

  /** @param {Options} given */
  function show(given) {
    options = given;
    element("window").hidden = false;
    write("seller", options.name || "Checkout");
    write("description", options.description);
    write("contact", options.contact);
    element("window").style.setProperty("--color", options.color || null);
    if (error !== null) {
      write("problem", `Something went wrong. ${error.description}`);
      offerOnlyToLeave();
    } else if (order !== null) {
      const price = inCurrency(order);
      write("amount", price);
      write("pay", `Pay ${price}`);
      element("choices").hidden = false;
      element("pay").focus();
    }
    if (options.timeout_seconds > 0) {
      setTimeout(() => leave("timeout"), options.timeout_seconds * 1000);
    }
  }

  /** @param {{ amount: number, currency: string }} price the amount in hundredths */
  function inCurrency({ amount, currency }) {
    return new Intl.NumberFormat("en-IN", {
      style: "currency",
      currency,
      trailingZeroDisplay: "stripIfInteger",
    }).format(amount / 100);
  }

  function offerOnlyToLeave() {
    element("choices").hidden = true;
    element("leave").focus();
  }

  /** @param {"captured" | "failed" | "late_authorized"} outcome */
  async function pay(outcome) {
    if (isPaying) return;
    isPaying = true;
    write("problem", "");
    write("progress", "Asking the bank…");
    try {
      const response = await fetch("/v1/checkout/pay", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ key_id, order_id, outcome, contact: options.contact || undefined }),
      });
      const result = await response.json();
      if (result.error) failed(result.error);
      else if (outcome === "late_authorized") leave();
      else paid(result);
    } catch {
      write("problem", "The stand-in cannot be reached. Is the stack running?");
    } finally {
      isPaying = false;
      write("progress", "");
    }
  }

  /** @param {Record<string, string>} payment */
  function paid(payment) {
    if (options.callback_url) postForm(options.callback_url, payment);
    else tell("paid", payment);
  }

  /**
   * A payment failed, which can be tried again, or there was nothing to pay any more.
   *
   * @param {{ description: string, metadata?: { payment_id?: string } }} reason
   */
  function failed(reason) {
    if (!options.retry && options.callback_url) {
      postError(options.callback_url, reason);
      return;
    }
    const canRetry = options.retry && reason.metadata?.payment_id !== undefined;
    const sentence = reason.description.replace(/\.?$/, ".");
    write("problem", canRetry ? `${sentence} You can try again.` : sentence);
    if (!canRetry) {
      dismissReason = { error: reason };
      offerOnlyToLeave();
    }
    if (!options.callback_url) tell("failed", { error: reason });
  }

  /** Asks first, if the page wishes so and there is something to lose. */
  function askToLeave() {
    if (isPaying) return;
    if (options.confirm_close && !element("choices").hidden) confirmation.showModal();
    else leave(dismissReason);
  }

  /** @param {unknown} [reason] */
  function leave(reason) {
    if (!options.callback_url) {
      tell("dismissed", reason);
    } else if (error !== null) {
      postError(options.callback_url, error);
    } else {
      write("progress", "You can go back to the seller's page.");
      history.back();
    }
  }

  /**
   * @param {string} event
   * @param {unknown} [detail]
   */
  function tell(event, detail) {
    parent.postMessage({ event, detail }, pageOrigin);
  }

  /**
   * @param {string} url
   * @param {object} reason
   */
  function postError(url, reason) {
    const fields = Object.entries(reason).map(([name, value]) => [
      `error[${name}]`,
      typeof value === "string" ? value : JSON.stringify(value),
    ]);
    postForm(url, Object.fromEntries(fields));
  }

  /**
   * @param {string} url
   * @param {Record<string, string>} fields
   */
  function postForm(url, fields) {
    const form = Object.assign(document.createElement("form"), { method: "post", action: url });
    for (const [name, value] of Object.entries(fields)) {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
    document.body.append(form);
    form.submit();
  }

  /**
   * Goes round at both ends, because the page behind the frame must not get the focus.
   *
   * @param {KeyboardEvent} event
   */
  function keepFocus(event) {
    const within = confirmation.open ? confirmation : element("window");
    const buttons = [...within.querySelectorAll("button")].filter((button) =>
      button.checkVisibility()
    );
    const [leaving, entered] = event.shiftKey
      ? [buttons.at(0), buttons.at(-1)]
      : [buttons.at(-1), buttons.at(0)];
    if (document.activeElement !== leaving && document.activeElement !== document.body) return;
    event.preventDefault();
    entered?.focus();
  }

  element("pay").addEventListener("click", () => pay("captured"));
  element("fail").addEventListener("click", () => pay("failed"));
  element("later").addEventListener("click", () => pay("late_authorized"));
  element("leave").addEventListener("click", askToLeave);
  element("stay").addEventListener("click", () => confirmation.close());
  element("confirm").addEventListener("click", () => {
    confirmation.close();
    leave();
  });

  if (ownOptions !== null) {
    show(ownOptions);
    return;
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") {
      keepFocus(event);
    } else if (event.key === "Escape" && options?.escape && !confirmation.open) {
      // Or the same key closes the confirmation that it opens.
      event.preventDefault();
      askToLeave();
    }
  });
  document.addEventListener("click", ({ target }) => {
    const isBackdrop = target === document.documentElement || target === document.body;
    if (isBackdrop && options?.backdropclose) askToLeave();
  });
  addEventListener("message", (message) => {
    if (message.source !== parent || options !== undefined) return;
    pageOrigin = message.origin;
    show(message.data);
  });
  // Tells nothing, so it may be told to any page.
  parent.postMessage({ event: "ready" }, "*");
})();
