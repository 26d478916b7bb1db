// Flex specimens: a bubble each for what a group of properties does.

const shot = (name, width = 600, height = 400) => `https://example.com/${name}-${width}x${height}.png`;
const flex = (name, contents, altText = name) => ({
  name: `Flex: ${name}`,
  message: { type: "flex", altText, contents },
});
const bubble = (contents, more = {}) => ({
  type: "bubble",
  body: { type: "box", layout: "vertical", spacing: "md", contents },
  ...more,
});
const box = (layout, contents, more = {}) => ({ type: "box", layout, contents, ...more });
const text = (words, more = {}) => ({ type: "text", text: words, ...more });
const say = (label) => ({ type: "message", label, text: label });
const line = { type: "separator" };

const fact = (name, value) =>
  box(
    "baseline",
    [
      text(name, { color: "#aaaaaa", size: "sm", flex: 1 }),
      text(value, { color: "#666666", size: "sm", flex: 5, wrap: true }),
    ],
    { spacing: "sm" },
  );

const restaurant = {
  type: "bubble",
  hero: {
    type: "image",
    url: shot("cafe", 800, 520),
    size: "full",
    aspectRatio: "20:13",
    aspectMode: "cover",
    action: { type: "uri", uri: "https://example.com/" },
  },
  body: box("vertical", [
    text("Harbour Cafe", { weight: "bold", size: "xl" }),
    box(
      "baseline",
      [
        ...["a", "b", "c", "d"].map(() => ({ type: "icon", size: "sm", url: shot("star", 40, 40) })),
        { type: "icon", size: "sm", url: shot("moon", 40, 40) },
        text("4.0", { size: "sm", color: "#999999", margin: "md", flex: 0 }),
      ],
      { margin: "md" },
    ),
    box("vertical", [fact("Place", "1-3 Kioicho, Chiyoda-ku, Tokyo"), fact("Time", "10:00 - 23:00")], {
      margin: "lg",
      spacing: "sm",
    }),
  ]),
  footer: box(
    "vertical",
    [
      { type: "button", style: "link", height: "sm", action: { type: "uri", label: "CALL", uri: "tel:0312345678" } },
      {
        type: "button",
        style: "link",
        height: "sm",
        action: { type: "uri", label: "WEBSITE", uri: "https://example.com/" },
      },
    ],
    { spacing: "sm", flex: 0 },
  ),
};

const row = (name, price) =>
  box("horizontal", [
    text(name, { size: "sm", color: "#555555", flex: 0 }),
    text(price, { size: "sm", color: "#111111", align: "end" }),
  ]);

const receipt = bubble(
  [
    text("RECEIPT", { weight: "bold", color: "#1DB446", size: "sm" }),
    text("Brown Store", { weight: "bold", size: "xxl", margin: "md" }),
    text("Miraina Tower, 4-1-6 Shinjuku, Tokyo", { size: "xs", color: "#aaaaaa", wrap: true }),
    { type: "separator", margin: "xxl" },
    box(
      "vertical",
      [
        row("Energy drink", "$2.99"),
        row("Chewing gum", "$0.99"),
        { type: "separator", margin: "xxl" },
        row("TOTAL", "$3.98"),
      ],
      { margin: "xxl", spacing: "sm" },
    ),
    { type: "separator", margin: "xxl" },
    box(
      "horizontal",
      [
        text("PAYMENT ID", { size: "xs", color: "#aaaaaa", flex: 0 }),
        text("#743289384279", { color: "#aaaaaa", size: "xs", align: "end" }),
      ],
      { margin: "md" },
    ),
  ],
  { styles: { footer: { separator: true } } },
);

const sizes = ["xxs", "xs", "sm", "md", "lg", "xl", "xxl", "3xl", "4xl", "5xl"];
const tint = (name, more = {}) =>
  box("vertical", [text(name, { align: "center", color: "#ffffff", size: "sm" })], {
    backgroundColor: "#5b82db",
    paddingAll: "sm",
    ...more,
  });
const grey = { backgroundColor: "#eeeeee", paddingAll: "xs" };

const layout = bubble([
  text("flex 2 : 3, default 1", { size: "xs", color: "#888888" }),
  box(
    "horizontal",
    [
      tint("2", { flex: 2 }),
      tint("3", { flex: 3, backgroundColor: "#d9534f" }),
      tint("1", { backgroundColor: "#3aa76d" }),
    ],
    { spacing: "sm" },
  ),
  text("width 80px, 50%, rest", { size: "xs", color: "#888888" }),
  box("horizontal", [
    tint("80px", { width: "80px" }),
    tint("50%", { width: "50%", backgroundColor: "#d9534f" }),
    tint("rest", { backgroundColor: "#3aa76d" }),
  ]),
  text("justifyContent", { size: "xs", color: "#888888" }),
  ...["flex-start", "center", "flex-end", "space-between", "space-around", "space-evenly"].map((how) =>
    box(
      "horizontal",
      ["A", "B", "C"].map((letter) => tint(letter, { width: "40px" })),
      { justifyContent: how, ...grey },
    ),
  ),
  text("alignItems", { size: "xs", color: "#888888" }),
  box(
    "horizontal",
    ["flex-start", "center", "flex-end"].map((how) =>
      box("horizontal", [tint(how, { width: "76px" })], { alignItems: how, height: "60px", ...grey }),
    ),
    { spacing: "xs" },
  ),
  text("gravity", { size: "xs", color: "#888888" }),
  box(
    "horizontal",
    ["top", "center", "bottom"].map((how) => text(how, { gravity: how, align: "center" })),
    { height: "60px", ...grey },
  ),
]);

const position = bubble([
  box(
    "vertical",
    [
      { type: "image", url: shot("garden", 600, 400), size: "full", aspectRatio: "3:2", aspectMode: "cover" },
      box("vertical", [text("SALE", { color: "#ffffff", size: "xs", align: "center" })], {
        position: "absolute",
        offsetTop: "12px",
        offsetStart: "12px",
        width: "56px",
        height: "24px",
        backgroundColor: "#ff334b",
        cornerRadius: "xxl",
        justifyContent: "center",
      }),
      box("vertical", [text("Garden", { color: "#ffffff", weight: "bold" })], {
        position: "absolute",
        offsetBottom: "0px",
        offsetStart: "0px",
        offsetEnd: "0px",
        paddingAll: "lg",
        background: { type: "linearGradient", angle: "0deg", startColor: "#000000cc", endColor: "#00000000" },
      }),
    ],
    { cornerRadius: "lg" },
  ),
  box(
    "horizontal",
    [
      tint("relative", { offsetTop: "6px", offsetStart: "10px", width: "90px" }),
      tint("plain", { width: "90px", backgroundColor: "#3aa76d" }),
    ],
    grey,
  ),
  box("vertical", [text("border, radius")], {
    borderWidth: "medium",
    borderColor: "#5b82db",
    cornerRadius: "md",
    paddingAll: "md",
  }),
  box("vertical", [text("three colours", { color: "#ffffff", align: "center" })], {
    background: {
      type: "linearGradient",
      angle: "90deg",
      startColor: "#7c3aed",
      centerColor: "#db2777",
      endColor: "#f59e0b",
      centerPosition: "30%",
    },
    paddingAll: "xl",
    paddingTop: "sm",
    cornerRadius: "xl",
  }),
]);

const words = bubble([
  ...sizes.map((size) => text(`size ${size}`, { size })),
  text("bold, coloured, centred", { weight: "bold", color: "#d9534f", align: "center" }),
  text("italic, underlined, at the end", { style: "italic", decoration: "underline", align: "end" }),
  text("line-through", { decoration: "line-through" }),
  text("Without wrap a long text is cut with three dots at its end, like this one here", {}),
  text(
    "With wrap it goes on in the next line,\nand line breaks count; maxLines 3 ends it, although there would be more to say about it all",
    { wrap: true, maxLines: 3 },
  ),
  text("With lineSpacing of 12px the lines of a text stand further apart", { wrap: true, lineSpacing: "12px" }),
  text("shrink-to-fit makes it fit", { size: "xxl", adjustMode: "shrink-to-fit" }),
  text("scaling follows the font setting", { scaling: true }),
  {
    type: "text",
    wrap: true,
    contents: [
      { type: "span", text: "Spans: " },
      { type: "span", text: "large, ", size: "xl", color: "#5b82db" },
      { type: "span", text: "bold ", weight: "bold" },
      { type: "span", text: "and italic", style: "italic", decoration: "underline" },
    ],
  },
]);

const buttons = bubble([
  { type: "button", style: "primary", action: say("primary") },
  { type: "button", style: "secondary", action: say("secondary") },
  { type: "button", style: "link", action: say("link") },
  { type: "button", style: "primary", color: "#905c44", height: "sm", action: say("primary, colour, sm") },
  { type: "button", style: "secondary", color: "#ffd9a0", height: "sm", action: say("secondary, colour, sm") },
  box(
    "horizontal",
    [
      { type: "button", style: "primary", height: "sm", action: say("Yes") },
      { type: "button", style: "secondary", height: "sm", action: say("No") },
    ],
    { spacing: "md" },
  ),
  { type: "button", style: "primary", adjustMode: "shrink-to-fit", action: say("A label so long that it shrinks") },
]);

const images = bubble([
  box(
    "horizontal",
    ["xxs", "xs", "sm"].map((size) => ({ type: "image", url: shot("tree", 300, 300), size, flex: 0 })),
    { spacing: "md" },
  ),
  {
    type: "image",
    url: shot("wide", 600, 200),
    size: "lg",
    aspectMode: "fit",
    backgroundColor: "#ffe8b8",
    align: "start",
  },
  { type: "image", url: shot("wide", 600, 200), size: "lg", aspectMode: "cover", align: "end" },
  { type: "image", url: shot("half", 600, 300), size: "50%", aspectRatio: "2:1" },
  {
    type: "image",
    url: shot("animated", 300, 100),
    size: "full",
    aspectRatio: "3:1",
    aspectMode: "cover",
    animated: true,
  },
  box(
    "horizontal",
    [
      { type: "image", url: shot("one", 300, 300), size: "full" },
      line,
      { type: "image", url: shot("two", 300, 300), size: "full" },
      { type: "filler" },
    ],
    { spacing: "sm" },
  ),
]);

const small = (size, name) => ({
  type: "bubble",
  size,
  hero: { type: "image", url: shot("brown", 320, 213), size: "full", aspectRatio: "320:213", aspectMode: "cover" },
  body: box(
    "vertical",
    [
      text(name, { weight: "bold", size: "sm", wrap: true }),
      text(`A bubble of size ${size}`, { size: "xs", color: "#8c8c8c", wrap: true }),
    ],
    { spacing: "sm" },
  ),
});

const blocks = {
  type: "bubble",
  size: "kilo",
  header: box("vertical", [text("header", { color: "#ffffff", weight: "bold" })]),
  hero: box("vertical", [text("hero box", { align: "center" })], { paddingAll: "lg", backgroundColor: "#ffe8b8" }),
  body: box("vertical", [text("body")]),
  footer: box("horizontal", [text("footer", { align: "center" })]),
  styles: {
    header: { backgroundColor: "#2b6a4d" },
    body: { separator: true, separatorColor: "#d9534f" },
    footer: { backgroundColor: "#f4f4f4", separator: true },
  },
};

const film = {
  type: "bubble",
  size: "mega",
  hero: {
    type: "video",
    url: "https://example.com/film.mp4",
    previewUrl: shot("film", 800, 520),
    aspectRatio: "20:13",
    altContent: { type: "image", size: "full", aspectRatio: "20:13", aspectMode: "cover", url: shot("film", 800, 520) },
    action: { type: "uri", label: "More", uri: "https://example.com/" },
  },
  body: box("vertical", [text("A hero that plays")]),
};

export const flexSpecimens = [
  flex("restaurant", restaurant),
  flex("receipt", receipt),
  flex("layout", layout),
  flex("position, border, gradient", position),
  flex("text", words),
  flex("buttons", buttons),
  flex("images", images),
  flex("blocks and styles", blocks),
  flex("video", film),
  flex(
    "right to left, whole bubble tappable",
    bubble(
      [
        box("horizontal", [tint("1", { flex: 1 }), tint("2", { flex: 2, backgroundColor: "#3aa76d" })]),
        text("שלום, this bubble runs from the right", { wrap: true }),
      ],
      { direction: "rtl", action: say("The bubble") },
    ),
  ),
  flex("carousel", {
    type: "carousel",
    contents: [
      small("micro", "First"),
      small("micro", "The second has a name that takes two lines"),
      small("micro", "Third"),
      small("micro", "Fourth"),
    ],
  }),
  ...["nano", "micro", "deca", "hecto", "kilo", "mega", "giga"].map((size) => flex(`size ${size}`, small(size, size))),
];
