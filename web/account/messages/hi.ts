/**
 * Everything that the account page says, in Hindi. Not reviewed by a native speaker.
 * @module
 */

import type { Messages } from "./en.ts";

const credits = (_count: number, text: string) => `${text} क्रेडिट`;

const gatewayProblem = "Razorpay से अभी संपर्क नहीं हो रहा। कृपया थोड़ी देर में कोशिश करें।";

export const hi: Messages = {
  title: "आपके क्रेडिट",
  credits,
  creditUnit: () => "क्रेडिट",
  language: "भाषा",
  loading: "आपका खाता लोड हो रहा है",
  retry: "फिर कोशिश करें",
  openChat: "WhatsApp खोलें",

  balance: {
    reserved: (count, text) => `चल रहे काम के लिए ${credits(count, text)} आरक्षित`,
    remaining: (_count, text) => `खर्च करने के लिए ${text} बाकी`,
    debt: (count, text) =>
      `आप पर ${
        credits(count, text)
      } बकाया हैं, क्योंकि क्रेडिट खर्च होने के बाद एक भुगतान वापस हो गया। अगले क्रेडिट से यह चुक जाएगा।`,
    frozen: "यह खाता रोका गया है: अभी क्रेडिट न खर्च हो सकते हैं, न खरीदे जा सकते हैं। कृपया चैट में पूछें।",
  },

  chart: {
    heading: "समय के साथ बैलेंस",
    title: (from, to) => `${from} से ${to} तक का बैलेंस`,
    description: (lowest, highest, last) => `${lowest} और ${highest} क्रेडिट के बीच; अंत में ${last}।`,
    highest: (text) => `सबसे ज़्यादा ${text}`,
    table: "इस चित्र की संख्याएँ",
    time: "समय",
    balance: "बैलेंस",
  },

  buy: {
    heading: "क्रेडिट खरीदें",
    choose: "एक पैकेज चुनें",
    each: (price) => `${price} प्रति क्रेडिट`,
    pay: (price) => `${price} का भुगतान करें`,
    preparing: "एक क्षण …",
    safely: (seller) => `आप ${seller} को Razorpay से भुगतान करते हैं। कीमत में कर शामिल हैं।`,
    nothing: "अभी कुछ भी बिक्री पर नहीं है।",
    noPackages: "पैकेज लोड नहीं हो सके।",
    description: (name, creditsText) => `${name}: ${creditsText}`,
    inChat: "यहाँ आपकी पहचान केवल आपके WhatsApp खाते से है, फ़ोन नंबर के बिना। चैट में खरीदें: " +
      "बॉट आपको भुगतान का लिंक भेजता है।",
    offline: "आप ऑफ़लाइन हैं। ऑनलाइन होते ही आप फिर खरीद सकते हैं।",
    problems: {
      BLOCKED: "Razorpay की भुगतान विंडो लोड नहीं हुई। शायद इस ब्राउज़र में कुछ उसे रोक रहा है। " +
        "फिर कोशिश करें, यह पेज किसी दूसरे ब्राउज़र में खोलें, या चैट में खरीदें।",
      RATE_LIMITED: "अभी बहुत ज़्यादा ऑर्डर हुए। कृपया बाद में कोशिश करें, या चैट में खरीदें।",
      PACKAGE_NOT_FOUND: "यह पैकेज अब नहीं बिकता। कृपया कोई दूसरा चुनें।",
      ACCOUNT_FROZEN: "यह खाता रोका गया है और अभी खरीद नहीं सकता। कृपया चैट में पूछें।",
      GATEWAY_ERROR: gatewayProblem,
      GATEWAY_UNAVAILABLE: gatewayProblem,
      OTHER: "ऑर्डर नहीं बन सका। कृपया थोड़ी देर में कोशिश करें।",
    },
  },

  payment: {
    open: {
      title: "भुगतान विंडो खुली है",
      text: "वहाँ भुगतान करें, या लौटने के लिए उसे बंद करें।",
    },
    confirming: {
      title: "आपका भुगतान जाँचा जा रहा है",
      text: "इसमें एक क्षण लगता है। आप यह पेज छोड़ सकते हैं: क्रेडिट फिर भी आएँगे।",
    },
    underWay: {
      title: "एक भुगतान चल रहा है",
      text: (name, price, time) =>
        `${name} के लिए ${price}, ${time} को शुरू हुआ। आपके बैंक की पुष्टि होते ही क्रेडिट अपने आप आ ` +
        "जाएँगे। दोबारा भुगतान करने की ज़रूरत नहीं है।",
    },
    begun: {
      title: "क्या आपने भुगतान किया?",
      text: (name, price, time) =>
        `आपने ${time} को ${name} के लिए ${price} का भुगतान खोला। अगर आपने उसे मंज़ूरी दी, तो क्रेडिट ` +
        "अपने आप आ जाएँगे। अगर नहीं, तो कोई पैसा नहीं लिया गया।",
    },
    pending: {
      title: "अभी पुष्टि नहीं हुई",
      text: "आपके बैंक ने अब तक भुगतान की पुष्टि नहीं की है। आपको कुछ नहीं करना है: पुष्टि होते ही " +
        "क्रेडिट अपने आप आ जाएँगे। पुष्टि न हुई, तो पैसा नहीं रखा जाएगा।",
    },
    paid: {
      title: "भुगतान मिल गया",
      text: (count, text) => `${credits(count, text)} जोड़े गए।`,
    },
    failed: {
      title: "भुगतान नहीं हो सका",
      text:
        "कोई क्रेडिट नहीं जोड़ा गया। अगर फिर भी आपके खाते से पैसा गया है, तो वह क्रेडिट बनेगा या वापस होगा।",
      reason: (reason) => `Razorpay का कहना है: “${reason}”`,
    },
    closed: {
      title: "आपने भुगतान विंडो बंद की",
      text: "कोई पुष्टि नहीं हुई। अगर आपने अपने UPI ऐप या बैंक में भुगतान मंज़ूर किया है, तो क्रेडिट " +
        "अपने आप आ जाएँगे।",
    },
    returned: {
      title: "भुगतान से वापसी",
      text: "यहाँ कोई भुगतान नहीं चल रहा है। जो आ चुका है, वह आपके इतिहास में है।",
    },
    unclear: {
      title: "हम इस भुगतान की पुष्टि नहीं कर सकते",
      text: (paymentId) => `कृपया चैट में पूछें और भुगतान ${paymentId} बताएँ।`,
    },
    done: "और खरीदें",
    offline: "आप ऑफ़लाइन हैं। ऑनलाइन होते ही हम फिर पूछेंगे।",
  },

  history: {
    heading: "इतिहास",
    empty: "अभी तक कुछ नहीं हुआ।",
    older: "पुरानी प्रविष्टियाँ दिखाएँ",
    shown: (shown, total) => `प्रविष्टियाँ: ${total} में से ${shown}`,
    balanceAfter: (text) => `बैलेंस ${text}`,
    plus: (count, text) => `${credits(count, text)} जुड़े`,
    minus: (count, text) => `${credits(count, text)} घटे`,
    failed: "प्रविष्टियाँ लोड नहीं हो सकीं।",
    sources: {
      system: { credit: "स्वागत उपहार", debit: "स्वागत उपहार वापस लिया गया" },
      payment: { credit: "खरीदे गए क्रेडिट", debit: "खरीद वापस ली गई" },
      refund: { credit: "रिफ़ंड रद्द, क्रेडिट लौटाए गए", debit: "रिफ़ंड हुए भुगतान के क्रेडिट" },
      dispute: { credit: "विवाद समाप्त, क्रेडिट लौटाए गए", debit: "विवादित भुगतान के क्रेडिट" },
      merge: { credit: "दूसरे खाते से आए", debit: "दूसरे खाते में गए" },
      adjustment: { credit: "सहायता टीम ने दिए", debit: "सहायता टीम ने लिए" },
    },
    actions: {
      image_generation: (count, text) => count === 1 ? "चित्र" : `${text} चित्र`,
      video_generation: (count, text) => count === 1 ? "वीडियो" : `${text} वीडियो`,
      voice_message: (_count, text) => `वॉइस संदेश, ${text} सेकंड`,
      chat: (_count, text) => `चैट, ${text} टोकन`,
    },
    actionNames: {
      image_generation: "चित्र",
      video_generation: "वीडियो",
      voice_message: "वॉइस संदेश",
      chat: "चैट",
    },
  },

  link: {
    until: (time) => `${time} तक खुला`,
    soon: (time) =>
      `यह पेज ${time} पर बंद हो जाएगा। उसके बाद जारी रखने के लिए बॉट को लिखें और नया लिंक पाएँ।`,
    expired: {
      title: "यह लिंक समाप्त हो गया है",
      text: "एक लिंक आधे घंटे चलता है, ताकि कोई और उसे इस्तेमाल न कर सके। नया लिंक पाने के लिए WhatsApp " +
        "में बॉट को लिखें। आपके क्रेडिट सुरक्षित हैं।",
    },
    missing: {
      title: "यह पेज चैट से खोलें",
      text: "आपका खाता उस लिंक से खुलता है जो बॉट आपको भेजता है। लिंक पाने के लिए WhatsApp में बॉट को लिखें।",
    },
    back: "आप भुगतान से लौटे हैं। अगर वह सफल हुआ, तो क्रेडिट अपने आप आ जाएँगे और चैट में दिखेंगे।",
    help: "कोई सवाल? WhatsApp में बॉट को लिखें।",
  },

  trouble: {
    offline: {
      title: "आप ऑफ़लाइन हैं",
      text: "ऑनलाइन होते ही आपका खाता दिखेगा।",
    },
    failed: {
      title: "आपका खाता लोड नहीं हुआ",
      text: "हमारी ओर कुछ गड़बड़ हुई। कृपया थोड़ी देर में कोशिश करें।",
    },
    limited: {
      title: "बहुत ज़्यादा कोशिशें",
      text: "कृपया एक मिनट रुकें और फिर कोशिश करें।",
    },
  },
};
