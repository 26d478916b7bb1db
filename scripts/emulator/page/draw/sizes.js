// Pixels of LINE's keywords. LINE publishes their order only, not their values; these are what its app and its Flex
// simulator show at the normal font size. One table each, read by everything that draws.

// Text, spans and icons.
export const TEXT = { xxs: 11, xs: 13, sm: 14, md: 16, lg: 19, xl: 22, xxl: 29, "3xl": 35, "4xl": 48, "5xl": 74 };

// Images: the largest width. "full" is the whole width and no number.
export const IMAGE = {
  xxs: 40,
  xs: 60,
  sm: 80,
  md: 100,
  lg: 120,
  xl: 140,
  xxl: 160,
  "3xl": 180,
  "4xl": 200,
  "5xl": 220,
};

// margin, spacing, padding and offset.
export const SPACE = { none: 0, xs: 2, sm: 4, md: 8, lg: 12, xl: 16, xxl: 20 };

export const RADIUS = { none: 0, xs: 2, sm: 4, md: 8, lg: 12, xl: 16, xxl: 20 };

export const BORDER = { none: 0, light: 0.5, normal: 1, medium: 2, "semi-bold": 3, bold: 4 };

// Widths of bubbles.
export const BUBBLE = { nano: 120, micro: 160, deca: 220, hecto: 241, kilo: 260, mega: 300, giga: 386 };

// Space between a block's edge and its box, unless the box has a padding of its own. Small bubbles have less.
export const BLOCK = { header: 20, hero: 0, body: 20, footer: 10 };
export const BLOCK_SMALL = { header: 10, hero: 0, body: 10, footer: 10 };
export const SMALL = ["nano", "micro"];

export const BUTTON = { sm: 40, md: 52 };

// The spacer component of old messages.
export const SPACER = { xs: 2, sm: 4, md: 8, lg: 12, xl: 16, xxl: 20 };

// The smallest font that shrink-to-fit goes down to, as a share of the one wanted.
export const SHRINK = 0.5;
