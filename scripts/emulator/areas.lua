-- Regions: the codes that filters of narrowcasts take, and the names that demographics tell.
-- https://developers.line.biz/en/reference/messaging-api/#narrowcast-demographic-filter

local areas = {}

local function names(text)
  local list = {}
  for name in text:gmatch("%S+") do list[#list + 1] = name end
  return list
end

local NAMES = {
  jp = names[[北海道 青森 岩手 宮城 秋田 山形 福島 茨城 栃木 群馬 埼玉 千葉 東京 神奈川 新潟 富山 石川 福井 山梨 長野
    岐阜 静岡 愛知 三重 滋賀 京都 大阪 兵庫 奈良 和歌山 鳥取 島根 岡山 広島 山口 徳島 香川 愛媛 高知 福岡 佐賀 長崎
    熊本 大分 宮崎 鹿児島 沖縄]],
  tw = names[[台北市 新北市 桃園市 台中市 台南市 高雄市 基隆市 新竹市 嘉義市 新竹縣 苗栗縣 彰化縣 南投縣 雲林縣
    嘉義縣 屏東縣 宜蘭縣 花蓮縣 台東縣 澎湖縣 金門縣 連江縣]],
  th = names[[Bangkok Pattaya Northern Central Southern Eastern NorthEastern Western]],
}

-- areas.name(code) → the name of "jp_13" and the like; nil when there is none.
function areas.name(code)
  local country, number = tostring(code):match("^(%l%l)_(%d%d)$")
  return country and NAMES[country] and NAMES[country][tonumber(number)]
end

return areas
