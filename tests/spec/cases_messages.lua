-- What every builder makes, written out by hand. Run by test_messages.lua against the plain-Lua twin of the C half, and
-- by tests/scenario/test_builders.py in a bot. Each case is {name, got, want}.

return function(line)
  local a, f, url = line.action, line.flex, "https://example.com/"
  local cases = {}
  local function case(name, got, want) cases[#cases + 1] = {name, got, want} end
  local tap = {type = "message", label = "Menu", text = "Menu"}

  -- text
  case("text", line.text("Good morning"), {type = "text", text = "Good morning"})
  case("text with names", line.text{text = "a", quoteToken = "q"}, {type = "text", text = "a", quoteToken = "q"})
  case("text with more", line.text("a", {quoteToken = "q"}), {type = "text", text = "a", quoteToken = "q"})
  case("text with emoji", line.text("$ hello $", {emojis = {line.emoji("p1", "001"), line.emoji("p1", "002")}}),
    {type = "text", text = "$ hello $", emojis = {{index = 0, productId = "p1", emojiId = "001"},
      {index = 8, productId = "p1", emojiId = "002"}}})
  case("emoji behind characters of two units and of several bytes",
    line.text("😀é漢 $", {emojis = {{productId = "p", emojiId = "1"}}}),
    {type = "text", text = "😀é漢 $", emojis = {{index = 5, productId = "p", emojiId = "1"}}})
  case("an emoji with its own index, and one without list",
    line.text{text = "5$ $", emojis = {productId = "p", emojiId = "1", index = 3}},
    {type = "text", text = "5$ $", emojis = {{index = 3, productId = "p", emojiId = "1"}}})
  case("text_v2", line.text_v2("Welcome, {who}! {wave}", {who = line.mention("U1"), wave = line.emoji("p", "1")}),
    {type = "textV2", text = "Welcome, {who}! {wave}", substitution = {
      who = {type = "mention", mentionee = {type = "user", userId = "U1"}},
      wave = {type = "emoji", productId = "p", emojiId = "1"}}})
  case("text_v2 with text of its own", line.text_v2("{name}: {n} of {{n}} {{{n}}} %1", {name = "a{b}%1", n = 3,
    all = line.mention("all")}), {type = "textV2", text = "a{{b}}%1: 3 of {{n}} {{3}} %1",
    substitution = {all = {type = "mention", mentionee = {type = "all"}}}})
  case("text_v2 with nothing left to put in", line.text_v2("{n}", {n = 1}), {type = "textV2", text = "1"})
  case("mention with names", line.mention{mentionee = {type = "all"}}, {type = "mention", mentionee = {type = "all"}})

  -- media
  case("sticker", line.sticker(446, 1988), {type = "sticker", packageId = "446", stickerId = "1988"})
  case("sticker with more", line.sticker("446", "1988", {quoteToken = "q"}),
    {type = "sticker", packageId = "446", stickerId = "1988", quoteToken = "q"})
  case("image", line.image(url .. "a.png"),
    {type = "image", originalContentUrl = url .. "a.png", previewImageUrl = url .. "a.png"})
  case("image with preview", line.image(url .. "a.png", url .. "b.png"),
    {type = "image", originalContentUrl = url .. "a.png", previewImageUrl = url .. "b.png"})
  case("video", line.video(url .. "a.mp4", url .. "b.png", {trackingId = "t-1"}),
    {type = "video", originalContentUrl = url .. "a.mp4", previewImageUrl = url .. "b.png", trackingId = "t-1"})
  case("audio", line.audio(url .. "a.m4a", 60000),
    {type = "audio", originalContentUrl = url .. "a.m4a", duration = 60000})
  case("location", line.location("Office", "1 Main Street", 35.65910807942215, 139.70372892916203),
    {type = "location", title = "Office", address = "1 Main Street", latitude = 35.65910807942215,
      longitude = 139.70372892916203})

  -- imagemap
  local im = line.imagemap
  case("imagemap", im(url .. "map", "A map", 520, {
    im.uri(url, line.area(0, 0, 520, 520), {label = "Left"}), im.message("right", line.area(520, 0, 520, 520)),
    im.clipboard("copy", line.area(0, 0, 10, 10))},
    {video = im.video(url .. "v.mp4", url .. "p.png", line.area(0, 0, 1040, 520),
      {externalLink = im.external_link(url, "More")})}),
    {type = "imagemap", baseUrl = url .. "map", altText = "A map", baseSize = {width = 1040, height = 520},
      actions = {{type = "uri", linkUri = url, label = "Left", area = {x = 0, y = 0, width = 520, height = 520}},
        {type = "message", text = "right", area = {x = 520, y = 0, width = 520, height = 520}},
        {type = "clipboard", clipboardText = "copy", area = {x = 0, y = 0, width = 10, height = 10}}},
      video = {originalContentUrl = url .. "v.mp4", previewImageUrl = url .. "p.png",
        area = {x = 0, y = 0, width = 1040, height = 520}, externalLink = {linkUri = url, label = "More"}}})
  case("imagemap.grid", im.grid(3, 1, {im.message("a"), false, im.uri(url)}, {height = 100}),
    {{type = "message", text = "a", area = {x = 0, y = 0, width = 346, height = 100}},
      {type = "uri", linkUri = url, area = {x = 693, y = 0, width = 347, height = 100}}})

  -- templates
  local yes, no = a.postback("Yes", "answer=yes"), a.message("No")
  case("confirm", line.confirm("alt", "Sure?", {yes, no}, {quickReply = line.quick_reply(yes)}), {type = "template",
    altText = "alt", quickReply = {items = {{type = "action",
      action = {type = "postback", label = "Yes", data = "answer=yes"}}}},
    template = {type = "confirm", text = "Sure?", actions = {{type = "postback", label = "Yes", data = "answer=yes"},
      {type = "message", label = "No", text = "No"}}}})
  case("buttons", line.buttons{altText = "alt", title = "T", text = "x", actions = {a.message("Menu")},
    thumbnailImageUrl = url, imageAspectRatio = "square", defaultAction = a.uri("Open", url),
    sender = line.sender("Cat", url)},
    {type = "template", altText = "alt", sender = {name = "Cat", iconUrl = url}, template = {type = "buttons",
      title = "T", text = "x", actions = {tap}, thumbnailImageUrl = url, imageAspectRatio = "square",
      defaultAction = {type = "uri", label = "Open", uri = url}}})
  case("carousel", line.carousel("alt", {line.carousel_column("One", {a.message("Menu")}, {title = "1"})},
    {imageSize = "cover"}), {type = "template", altText = "alt", template = {type = "carousel", imageSize = "cover",
      columns = {{text = "One", title = "1", actions = {tap}}}}})
  case("image_carousel", line.image_carousel("alt", {line.image_carousel_column(url, a.message("Menu"))}),
    {type = "template", altText = "alt", template = {type = "image_carousel",
      columns = {{imageUrl = url, action = tap}}}})

  -- Flex
  case("flex", f("alt", f.bubble{
    header = f.box("vertical", {f.text("Head", {weight = "bold", size = "xl"})}, {paddingAll = "xl",
      background = f.linear_gradient(90, "#000000", "#ffffff", {centerPosition = "30%"})}),
    hero = f.video(url .. "v.mp4", url .. "p.png", f.image(url .. "a.png", {aspectRatio = "16:9"}),
      {aspectRatio = "16:9"}),
    body = f.box{layout = "baseline", contents = {f.icon(url .. "star.png"),
      f.text{f.span("a", {color = "#ff0000"}), f.span("b")}}},
    footer = f.box("horizontal", {f.button(a.message("Menu"), {style = "primary"}), f.separator(),
      f.separator{margin = "md"}, f.filler(), f.box("vertical", {})}),
    styles = f.styles{footer = f.block_style("#eeeeee", {separator = true})}, size = "giga"}),
    {type = "flex", altText = "alt", contents = {type = "bubble", size = "giga",
      header = {type = "box", layout = "vertical", paddingAll = "xl",
        contents = {{type = "text", text = "Head", weight = "bold", size = "xl"}},
        background = {type = "linearGradient", angle = "90deg", startColor = "#000000", endColor = "#ffffff",
          centerPosition = "30%"}},
      hero = {type = "video", url = url .. "v.mp4", previewUrl = url .. "p.png", aspectRatio = "16:9",
        altContent = {type = "image", url = url .. "a.png", aspectRatio = "16:9"}},
      body = {type = "box", layout = "baseline", contents = {{type = "icon", url = url .. "star.png"},
        {type = "text", contents = {{type = "span", text = "a", color = "#ff0000"}, {type = "span", text = "b"}}}}},
      footer = {type = "box", layout = "horizontal", contents = {{type = "button", style = "primary", action = tap},
        {type = "separator"}, {type = "separator", margin = "md"}, {type = "filler"},
        {type = "box", layout = "vertical", contents = {}}}},
      styles = {footer = {backgroundColor = "#eeeeee", separator = true}}}})
  case("flex.carousel", f{altText = "alt", contents = f.carousel{f.bubble(f.box("vertical", {})),
    f.bubble{header = f.box("vertical", {})}}},
    {type = "flex", altText = "alt", contents = {type = "carousel", contents = {
      {type = "bubble", body = {type = "box", layout = "vertical", contents = {}}},
      {type = "bubble", header = {type = "box", layout = "vertical", contents = {}}}}}})
  case("flex.linear_gradient", f.linear_gradient("22.5deg", "#000000", "#ffffff"),
    {type = "linearGradient", angle = "22.5deg", startColor = "#000000", endColor = "#ffffff"})

  -- actions
  case("action.postback", a.postback("Buy", "buy?n=1", {displayText = "Buy one", inputOption = "openKeyboard"}),
    {type = "postback", label = "Buy", data = "buy?n=1", displayText = "Buy one", inputOption = "openKeyboard"})
  case("action.message", a.message("Yes", "Yes, please"), {type = "message", label = "Yes", text = "Yes, please"})
  case("action.message without label", a.message(nil, "hi"), {type = "message", text = "hi"})
  case("action.uri", a.uri("Web", url, {altUri = url .. "pc"}),
    {type = "uri", label = "Web", uri = url, altUri = {desktop = url .. "pc"}})
  case("action.datetimepicker", a.datetimepicker("When", "when", "date", {min = "2026-01-01"}),
    {type = "datetimepicker", label = "When", data = "when", mode = "date", min = "2026-01-01"})
  case("action.camera", a.camera("Photo"), {type = "camera", label = "Photo"})
  case("action.camera_roll", a.camera_roll("Photos"), {type = "cameraRoll", label = "Photos"})
  case("action.location", a.location("Where"), {type = "location", label = "Where"})
  case("action.richmenu_switch", a.richmenu_switch(nil, "tab-b", "tab?to=b"),
    {type = "richmenuswitch", richMenuAliasId = "tab-b", data = "tab?to=b"})
  case("action.clipboard", a.clipboard("Copy", "code"), {type = "clipboard", label = "Copy", clipboardText = "code"})

  -- quick replies and senders
  local camera, item = a.camera("Cam"), line.quick_reply.item(a.location("Where"), url .. "i.png")
  local items = {items = {{type = "action", action = {type = "camera", label = "Cam"}},
    {type = "action", imageUrl = url .. "i.png", action = {type = "location", label = "Where"}}}}
  case("quick_reply", line.quick_reply(camera, item), items)
  case("quick_reply of a list", line.quick_reply{camera, item}, items)
  case("quick_reply with names", line.quick_reply{items = {camera, item}}, items)
  case("sender", line.sender("Cat"), {name = "Cat"})
  case("sender with names", line.sender{iconUrl = url}, {iconUrl = url})

  -- rich menus
  case("richmenu_object",
    line.richmenu_object("main", "Menu", {line.richmenu_area(0, 0, 1250, 1686, a.message("Menu"))}),
    {name = "main", chatBarText = "Menu", selected = false, size = {width = 2500, height = 1686},
      areas = {{bounds = {x = 0, y = 0, width = 1250, height = 1686}, action = tap}}})
  case("richmenu_area with names", line.richmenu_area{bounds = line.area(1, 2, 3, 4), action = tap},
    {bounds = {x = 1, y = 2, width = 3, height = 4}, action = tap})
  case("richmenu_grid", line.richmenu_grid(3, 2, {tap, tap, tap, false, tap}), {
    {bounds = {x = 0, y = 0, width = 833, height = 843}, action = tap},
    {bounds = {x = 833, y = 0, width = 833, height = 843}, action = tap},
    {bounds = {x = 1666, y = 0, width = 834, height = 843}, action = tap},
    {bounds = {x = 833, y = 843, width = 833, height = 843}, action = tap}})
  case("richmenu_grid elsewhere", line.richmenu_grid{columns = 1, rows = 2, actions = {tap, tap}, x = 10, y = 20,
    width = 100, height = 51}, {{bounds = {x = 10, y = 20, width = 100, height = 25}, action = tap},
    {bounds = {x = 10, y = 45, width = 100, height = 26}, action = tap}})
  local batch = line.richmenu_batch
  case("richmenu_batch", {batch.link("a", "b"), batch.unlink("a"), batch.unlink_all()},
    {{type = "link", from = "a", to = "b"}, {type = "unlink", from = "a"}, {type = "unlinkAll"}})

  -- narrowcast
  local r, by = line.recipient, line.filter
  case("recipient", r.all_of(r.audience(5614991017776), r.except(r.redelivery("5b59509c")),
    r.any_of{r.audience(1), r.audience{audienceGroupId = 2}}), {type = "operator", ["and"] = {
      {type = "audience", audienceGroupId = 5614991017776},
      {type = "operator", ["not"] = {type = "redelivery", requestId = "5b59509c"}},
      {type = "operator", ["or"] = {{type = "audience", audienceGroupId = 1},
        {type = "audience", audienceGroupId = 2}}}}})
  case("filter", by(by.any_of(by.all_of(by.gender("male", "female"), by.age(20, 25), by.app_type{"android", "ios"},
    by.area("jp_23", "jp_05"), by.subscription_period(7, 30)), by.except(by.age(nil, "age_20")), by.age{gte = 50})),
    {demographic = {type = "operator", ["or"] = {{type = "operator", ["and"] = {
      {type = "gender", oneOf = {"male", "female"}}, {type = "age", gte = "age_20", lt = "age_25"},
      {type = "appType", oneOf = {"android", "ios"}}, {type = "area", oneOf = {"jp_23", "jp_05"}},
      {type = "subscriptionPeriod", gte = "day_7", lt = "day_30"}}},
      {type = "operator", ["not"] = {type = "age", lt = "age_20"}}, {type = "age", gte = "age_50"}}}})
  case("audiences", line.audiences("U1", "U2"), {{id = "U1"}, {id = "U2"}})
  case("audiences of a list", line.audiences{"U1"}, {{id = "U1"}})

  -- coupons
  local c = line.coupon
  case("coupon", c("01JYN", {deliveryTag = "spring"}), {type = "coupon", couponId = "01JYN", deliveryTag = "spring"})
  case("coupon.object", c.object("Tea", 1700000000, 1800000000, "ASIA_TOKYO", "PUBLIC",
    {reward = c.discount(c.explicit(500, 400)), acquisitionCondition = c.lottery(50, 100)}),
    {title = "Tea", startTimestamp = 1700000000, endTimestamp = 1800000000, timezone = "ASIA_TOKYO",
      visibility = "PUBLIC", maxUseCountPerTicket = 1,
      reward = {type = "discount", priceInfo = {type = "explicit", originalPrice = 500, priceAfterDiscount = 400}},
      acquisitionCondition = {type = "lottery", lotteryProbability = 50, maxAcquireCount = 100}})
  case("coupon.object for everybody", c.object{title = "Tea"},
    {title = "Tea", maxUseCountPerTicket = 1, acquisitionCondition = {type = "normal"}})
  case("coupon rewards", {c.cash_back(c.percentage(10)), c.discount(c.fixed(100)), c.free(), c.gift(), c.others(),
    c.normal()}, {{type = "cashBack", priceInfo = {type = "percentage", percentage = 10}},
    {type = "discount", priceInfo = {type = "fixed", fixedAmount = 100}}, {type = "free"}, {type = "gift"},
    {type = "others"}, {type = "normal"}})

  return cases
end
