// One good specimen of everything that is drawn, for the gallery and the tests. Each is valid as it stands, but for the
// addresses, which belong to nobody: {name, message} as a bot sends it, {…, user: true} as in a webhook, or a
// quickReply or richMenu object instead of a message.

import { flexSpecimens } from "./specimens_flex.js";

// Pictures of the gallery: gallery.js draws what these addresses name.
export const shot = (name, width = 600, height = 400) => `https://example.com/${name}-${width}x${height}.png`;

const postback = (label, data) => ({ type: "postback", label, data, displayText: label });
const say = (label, text = label) => ({ type: "message", label, text });
const open = (label, uri = "https://example.com/") => ({ type: "uri", label, uri });

const texts = [
  {
    name: "Text",
    message: { type: "text", text: "Hello!\nToday's menu is at https://example.com/menu (until 3 p.m.)." },
  },
  {
    name: "Text with LINE emoji",
    message: {
      type: "text",
      text: "$ Your order is ready $",
      emojis: [
        { index: 0, productId: "5ac1bfd5040ab15980c9b435", emojiId: "001" },
        { index: 22, productId: "5ac21a8c040ab15980c9b43f", emojiId: "034" },
      ],
    },
  },
  {
    name: "Text v2: mentions and emoji by key",
    message: {
      type: "textV2",
      text: "Welcome, {user}! {smile}\n{everyone}: please say {{hello}}.",
      substitution: {
        user: { type: "mention", mentionee: { type: "user", userId: "U8189cf6745fc0d808977bdb0b9f22995" } },
        smile: { type: "emoji", productId: "5ac1bfd5040ab15980c9b435", emojiId: "002" },
        everyone: { type: "mention", mentionee: { type: "all" } },
      },
    },
  },
  {
    name: "Text that quotes",
    quoted: { name: "Aki", message: { type: "text", text: "Is the shop open on Sunday?" } },
    message: { type: "text", text: "Yes, from ten to four." },
  },
  {
    name: "Text of a person, with a mention of the bot",
    user: true,
    message: {
      type: "text",
      id: "1",
      text: "@Bakery two rolls, please (happy)",
      quoteToken: "q",
      emojis: [{ index: 26, length: 7, productId: "5ac1bfd5040ab15980c9b435", emojiId: "003" }],
      mention: {
        mentionees: [{ index: 0, length: 7, type: "user", userId: "U00000000000000000000000000000001", isSelf: true }],
      },
    },
  },
];

const media = [
  { name: "Sticker", message: { type: "sticker", packageId: "446", stickerId: "1988" } },
  {
    name: "Sticker of a person",
    user: true,
    message: {
      type: "sticker",
      id: "2",
      packageId: "789",
      stickerId: "10855",
      stickerResourceType: "ANIMATION_SOUND",
      keywords: ["happy", "thanks"],
    },
  },
  {
    name: "Image",
    message: {
      type: "image",
      originalContentUrl: shot("harbour", 900, 600),
      previewImageUrl: shot("harbour", 300, 200),
    },
  },
  {
    name: "Image that does not come",
    message: {
      type: "image",
      originalContentUrl: "https://pictures.invalid/a.jpg",
      previewImageUrl: "https://pictures.invalid/a-small.jpg",
    },
  },
  {
    name: "Video",
    message: {
      type: "video",
      originalContentUrl: "https://example.com/film.mp4",
      previewImageUrl: shot("film", 640, 480),
      trackingId: "spring-film",
    },
  },
  {
    name: "Audio",
    message: { type: "audio", originalContentUrl: "https://example.com/greeting.m4a", duration: 61000 },
  },
  {
    name: "File of a person",
    user: true,
    message: { type: "file", id: "3", fileName: "Invoice 2026-04.pdf", fileSize: 248311 },
  },
  {
    name: "Location",
    message: {
      type: "location",
      title: "Bakery at the harbour",
      address: "1-3 Kioicho, Chiyoda-ku, Tokyo",
      latitude: 35.67966,
      longitude: 139.73669,
    },
  },
  { name: "Coupon", message: { type: "coupon", couponId: "01JYNW8JMQVFBNWF1APF8Z3FS7", deliveryTag: "spring" } },
];

const templates = [
  {
    name: "Buttons",
    message: {
      type: "template",
      altText: "Today's bread",
      template: {
        type: "buttons",
        thumbnailImageUrl: shot("bread", 906, 600),
        imageAspectRatio: "rectangle",
        imageSize: "cover",
        imageBackgroundColor: "#FFFFFF",
        title: "Today's bread",
        text: "Rye with walnuts, fresh at eleven",
        defaultAction: open("See it"),
        actions: [
          postback("Keep one for me", "keep=1"),
          say("How much is it?"),
          {
            type: "datetimepicker",
            label: "When shall I come?",
            data: "when",
            mode: "datetime",
            initial: "2026-05-01t11:00",
            min: "2026-05-01t08:00",
            max: "2026-05-31t18:00",
          },
          open("The recipe"),
        ],
      },
    },
  },
  {
    name: "Buttons, square picture, contained",
    message: {
      type: "template",
      altText: "Logo",
      template: {
        type: "buttons",
        thumbnailImageUrl: shot("logo", 900, 300),
        imageAspectRatio: "square",
        imageSize: "contain",
        imageBackgroundColor: "#FFE8B8",
        text: "No title here",
        actions: [{ type: "clipboard", label: "Copy the code", clipboardText: "BREAD-10" }],
      },
    },
  },
  {
    name: "Confirm",
    message: {
      type: "template",
      altText: "Are you sure?",
      template: { type: "confirm", text: "Cancel the order of two rolls?", actions: [say("Yes"), say("No")] },
    },
  },
  {
    name: "Carousel",
    message: {
      type: "template",
      altText: "Three kinds",
      template: {
        type: "carousel",
        imageAspectRatio: "rectangle",
        imageSize: "cover",
        columns: ["Rye", "Wheat", "Spelt"].map((kind, i) => ({
          thumbnailImageUrl: shot(kind.toLowerCase(), 906, 600),
          title: kind,
          text:
            i === 1
              ? "A longer text, which takes two lines and makes this the tallest of the three"
              : "Baked this morning",
          defaultAction: open(kind),
          actions: [postback("Take it", `take=${kind}`), say("More", `Tell me about ${kind}`)],
        })),
      },
    },
  },
  {
    name: "Image carousel",
    message: {
      type: "template",
      altText: "Pictures",
      template: {
        type: "image_carousel",
        columns: ["Oven", "Shop", "Garden"].map((what) => ({
          imageUrl: shot(what.toLowerCase(), 600, 600),
          action: postback(what, `see=${what}`),
        })),
      },
    },
  },
];

const area = (x, y, width, height) => ({ x, y, width, height });

const maps = [
  {
    name: "Imagemap",
    message: {
      type: "imagemap",
      baseUrl: "https://example.com/map-1040x700.png",
      altText: "Two halves and a strip",
      baseSize: { width: 1040, height: 700 },
      actions: [
        { type: "uri", linkUri: "https://example.com/left", label: "Left", area: area(0, 0, 520, 520) },
        { type: "message", text: "Right!", label: "Right", area: area(520, 0, 520, 520) },
        { type: "clipboard", clipboardText: "3B48740B", label: "Copy", area: area(0, 520, 1040, 180) },
      ],
    },
  },
  {
    name: "Imagemap with a video",
    message: {
      type: "imagemap",
      baseUrl: "https://example.com/map-1040x585.png",
      altText: "A film",
      baseSize: { width: 1040, height: 585 },
      video: {
        originalContentUrl: "https://example.com/film.mp4",
        previewImageUrl: shot("film", 640, 360),
        area: area(104, 58, 832, 468),
        externalLink: { linkUri: "https://example.com/more", label: "See more" },
      },
      actions: [],
    },
  },
  {
    name: "Quick replies",
    quickReply: {
      items: [
        { type: "action", imageUrl: shot("rye", 100, 100), action: say("Rye") },
        { type: "action", action: postback("Something else", "else") },
        { type: "action", action: { type: "datetimepicker", label: "Pick a day", data: "day", mode: "date" } },
        { type: "action", action: { type: "camera", label: "Camera" } },
        { type: "action", action: { type: "cameraRoll", label: "Camera roll" } },
        { type: "action", action: { type: "location", label: "Location" } },
      ],
    },
  },
  {
    name: "Rich menu with tabs",
    imageUrl: shot("menu", 2500, 1686),
    richMenu: {
      size: { width: 2500, height: 1686 },
      selected: true,
      name: "Main",
      chatBarText: "Menu",
      areas: [
        {
          bounds: area(0, 0, 1250, 300),
          action: { type: "richmenuswitch", label: "Order", richMenuAliasId: "order", data: "tab=order" },
        },
        {
          bounds: area(1250, 0, 1250, 300),
          action: { type: "richmenuswitch", label: "Visit", richMenuAliasId: "visit", data: "tab=visit" },
        },
        { bounds: area(0, 300, 833, 1386), action: postback("Bread", "bread") },
        { bounds: area(833, 300, 834, 1386), action: open("Website") },
        { bounds: area(1667, 300, 833, 1386), action: say("Opening hours") },
      ],
    },
  },
  { name: "A type that is not known", message: { type: "hologram", depth: 3 } },
];

export const specimens = [...texts, ...media, ...templates, ...maps, ...flexSpecimens];
