/// <reference no-default-lib="true" />
/// <reference lib="dom" />
/// <reference lib="esnext" />
// @ts-check

/**
 * The stand-in's own checkout.js. It defines `Razorpay` as
 * https://checkout.razorpay.com/v1/checkout.js does, and shows a window of the stand-in over the page,
 * or leaves the page for one.
 *
 * What the real script does was read in Razorpay's public repository
 * `razorpay/checkout-demo-extension`; nothing of it is copied.
 */

/**
 * What a page may pass. Options that are not named here change nothing.
 *
 * @typedef {object} Options
 * @property {string} key
 * @property {string} order_id
 * @property {number | string} amount in paise; the order's amount is what is paid
 * @property {string} [name]
 * @property {string} [description]
 * @property {{ contact?: string }} [prefill]
 * @property {{ color?: string }} [theme]
 * @property {(paid: Record<string, string>) => void} [handler]
 * @property {string} [callback_url]
 * @property {boolean} [redirect]
 * @property {boolean | { enabled?: boolean }} [retry]
 * @property {number} [timeout] in seconds; 0, the default, is no limit
 * @property {Modal} [modal]
 */

/**
 * @typedef {object} Modal
 * @property {(reason?: unknown) => void} [ondismiss]
 * @property {boolean} [confirm_close]
 * @property {boolean} [escape]
 * @property {boolean} [backdropclose]
 */

(() => {
  const MIN_AMOUNT = 100;
  const HANDLER_DELAY_MS = 200;

  /**
   * Browsers in which Razorpay leaves the page if there is a `callback_url`: they close or block
   * windows of a page, or look like browsers that do.
   */
  const LEAVES_THE_PAGE = new RegExp(
    [
      "iPhone|iPad|CriOS", // Safari and Chrome on iOS, and every app's own browser there
      "; wv\\) |Gecko\\) Version/[^ ]+ Chrome|Android 4", // Android's WebView
      "FB_IAB|FBAN|Instagram",
      "UCBrowser|Opera Mini|Windows Phone",
    ].join("|"),
  );

  const script = /** @type {HTMLScriptElement} */ (document.currentScript);
  const { origin } = new URL(script.src);

  class Razorpay {
    /** @type {Options} */
    #options;
    /** @type {Map<string, ((response: unknown) => void)[]>} */
    #listeners = new Map();
    /** @type {HTMLDialogElement | undefined} */
    #dialog;
    /** @type {HTMLIFrameElement | undefined} */
    #frame;
    #isReady = false;
    #pageOverflow = "";

    /** @param {Options} options */
    constructor(options) {
      checkOptions(options);
      this.#options = { ...options };
    }

    /**
     * @param {string} event
     * @param {(response: unknown) => void} listener
     */
    on(event, listener) {
      this.#listeners.set(event, [...this.#listeners.get(event) ?? [], listener]);
      return this;
    }

    open() {
      const { key, order_id, callback_url, redirect } = this.#options;
      if (callback_url && (redirect || LEAVES_THE_PAGE.test(navigator.userAgent))) {
        const options = JSON.stringify({ ...windowOptions(this.#options), callback_url });
        postForm(`${origin}/v1/checkout/hosted`, { key_id: key, order_id, options });
      } else if (this.#dialog === undefined) {
        this.#openWindow(`${origin}/v1/checkout/window?${new URLSearchParams({
          key_id: key,
          order_id: order_id ?? "",
        })}`);
      }
      return this;
    }

    close() {
      if (this.#dialog !== undefined) this.#dismissed();
    }

    /**
     * A modal dialog keeps the focus in the window and gives it back at the end. Styles are set one by
     * one, which a page's Content-Security-Policy does not stop.
     *
     * @param {string} url
     */
    #openWindow(url) {
      const frame = document.createElement("iframe");
      frame.src = url;
      frame.title = "Checkout (stand-in for Razorpay)";
      Object.assign(frame.style, { display: "block", width: "100%", height: "100%", border: "0" });
      // A frame is see-through only if its color scheme is that of the document in it.
      frame.style.colorScheme = "light dark";

      const dialog = document.createElement("dialog");
      dialog.className = "razorpay-container";
      dialog.setAttribute("aria-label", frame.title);
      Object.assign(dialog.style, {
        width: "100%",
        height: "100%",
        maxWidth: "100%",
        maxHeight: "100%",
        boxSizing: "border-box",
        margin: "0",
        padding: "0",
        border: "0",
        overflow: "hidden",
        background: "rgb(0 0 0 / 60%)",
      });
      // The key Escape while the focus is not in the frame, as before it has loaded.
      dialog.addEventListener("cancel", (event) => {
        event.preventDefault();
        if (this.#options.modal?.escape !== false && !this.#isReady) this.#dismissed();
      });
      // Browsers close a dialog at the second Escape, whatever its page says.
      dialog.addEventListener("close", () => {
        if (this.#dialog === dialog) this.#dismissed();
      });
      dialog.append(frame);
      document.body.append(dialog);
      this.#pageOverflow = document.body.style.overflow;
      document.body.style.overflow = "hidden";
      this.#dialog = dialog;
      this.#frame = frame;
      addEventListener("message", this.#onMessage);
      dialog.showModal();
    }

    #closeWindow() {
      removeEventListener("message", this.#onMessage);
      document.body.style.overflow = this.#pageOverflow;
      this.#dialog?.close();
      this.#dialog?.remove();
      this.#dialog = undefined;
      this.#frame = undefined;
      this.#isReady = false;
    }

    /** @param {MessageEvent} message */
    #onMessage = ({ origin: sender, source, data }) => {
      const frame = this.#frame;
      if (sender !== origin || source === null || source !== frame?.contentWindow) return;
      if (data.event === "ready") {
        this.#isReady = true;
        frame.focus();
        frame.contentWindow?.postMessage(windowOptions(this.#options), origin);
      } else if (data.event === "failed") {
        for (const listener of this.#listeners.get("payment.failed") ?? []) listener(data.detail);
      } else if (data.event === "dismissed") {
        this.#dismissed(data.detail);
      } else if (data.event === "paid") {
        this.#closeWindow();
        setTimeout(() => this.#paid(data.detail), HANDLER_DELAY_MS);
      }
    };

    /** @param {Record<string, string>} payment */
    #paid(payment) {
      const { handler, callback_url } = this.#options;
      if (handler) handler.call(this, payment);
      else if (callback_url) postForm(callback_url, payment);
    }

    /** @param {unknown} [reason] `timeout`, or the error of a payment that cannot be tried again */
    #dismissed(reason) {
      this.#closeWindow();
      const ondismiss = this.#options.modal?.ondismiss;
      if (ondismiss) setTimeout(() => ondismiss(reason));
    }
  }

  /** @param {Options} options */
  function checkOptions(options) {
    if (typeof options !== "object" || options === null) throw new Error("Invalid options");
    if (!options.key) throw new Error("No key passed");
    const amount = String(options.amount);
    if (!/^[0-9]+$/.test(amount) || Number(amount) < MIN_AMOUNT) {
      throw new Error(
        "Invalid amount (should be passed in integer paise. Minimum value is 100 paise, i.e. ₹1)",
      );
    }
  }

  /**
   * What the window needs of the options, with Razorpay's defaults.
   *
   * @param {Options} options
   */
  function windowOptions({ name, description, prefill, theme, retry, timeout, modal }) {
    return {
      name: name ?? "",
      description: description ?? "",
      contact: prefill?.contact ?? "",
      color: theme?.color ?? "",
      retry: typeof retry === "object" ? retry.enabled !== false : retry !== false,
      timeout_seconds: timeout ?? 0,
      confirm_close: modal?.confirm_close ?? false,
      escape: modal?.escape ?? true,
      backdropclose: modal?.backdropclose ?? false,
    };
  }

  /**
   * Leaves the page, in the top window, by posting a form.
   *
   * @param {string} url
   * @param {Record<string, string>} fields
   */
  function postForm(url, fields) {
    const form = Object.assign(document.createElement("form"), { method: "post", target: "_top" });
    form.action = url;
    for (const [name, value] of Object.entries(fields)) {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
    document.body.append(form);
    form.submit();
    form.remove();
  }

  Object.assign(window, { Razorpay });
})();
