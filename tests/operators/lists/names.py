"""Names of people who do not exist, and the encodings in which lists of them come."""

NAMES = {
    "German": (
        "Jörg Müller|Käthe Groß|Björn Köhler|Uwe Schön|"
        "Anna Weiß|Rolf Krämer|Günther Jäger|Sören Böhm|"
        "Jürgen Schäfer|Änne Öztürk|Bärbel Möller|Heinz Großmann|"
        "Ursula Kühn|Lothar Matthäus|Götz Grün|Doris Strauß|"
        "Peter Schröder|Karl Übel|Ute Lößl|Frank Hübner"
    ),
    "French": (
        "François Lefèvre|Chloé Bérard|Zoé Müller|Hélène Côté|"
        "Gaël Noël|André Béraud|Cédric Fréchette|Benoît Lemaître|"
        "Jérôme Pelé|Françoise Dupré|Éloïse Lacôte|René Bézier|"
        "Agnès Guérin|Thérèse Pâquet|Anaïs Brulé|Noémie Crêpe|"
        "Gérard Forêt|Loïc Hervé|Mélanie Sève|Stéphane Gagné"
    ),
    "Spanish": (
        "José Muñoz|María Núñez|Íñigo López|Ángel Peña|"
        "Begoña Ibáñez|Sofía Gómez|Martín Pérez|Jesús Sánchez|"
        "Raúl Hernández|Andrés Martínez|Lucía Rodríguez|Óscar Fernández|"
        "Inés Álvarez|Adrián Jiménez|Mónica Díaz|Joaquín Ordóñez|"
        "Víctor Ruíz|Rubén Gutiérrez|Belén Cortés|Álvaro Güell"
    ),
    "Portuguese": (
        "João Gonçalves|Conceição Simões|Inês Araújo|Antônio Magalhães|"
        "José Guimarães|Lúcia Falcão|Fábio Conceição|Sebastião Brandão|"
        "Patrícia Leitão|Júlia Assunção|Cláudia Mourão|André Estêvão|"
        "Glória Bragança|Mário Sá|Estêvão Galvão|Teresinha Fragoão|"
        "Caetano Mendonça|Luís Morais|Vitória Antunes|Renê Ramalhão"
    ),
    "Italian": (
        "Niccolò Cantù|Noè Forlì|Mosè Bardà|Nicolò Papà|"
        "Giosuè Verità|Libertà Rossi|Antonella Dalì|Pietro Sanità|"
        "Ciccì Salò|Maria Jesù"
    ),
    "Swedish": (
        "Åsa Sjöberg|Göran Ångström|Märta Östlund|Jörgen Håkansson|"
        "Björn Åkerlund|Håkan Lindström|Kjell Bäckström|Åke Öberg|"
        "Ulla Sjögren|Lars Nordström|Pär Hägglund|Sören Wåhlin|"
        "Gösta Källström|Maj Åström|Torbjörn Fält"
    ),
    "Danish": (
        "Søren Kjær|Bjørn Ødegård|Åse Rønning|Lærke Møller|"
        "Jørgen Sørensen|Jens Bækgaard|Ragnhild Sæther|Øyvind Løkken|"
        "Pål Grønås|Mærsk Nørgaard|Håkon Bjørnstad|Kåre Østby|"
        "Synnøve Røed|Bård Hæstad|Torbjørn Dæhlie"
    ),
    "Icelandic": (
        "Þórður Guðmundsson|Sigríður Ásgeirsdóttir|Ægir Þór|Jóhann Sigurðsson|"
        "Guðrún Pálsdóttir|Björk Ólafsdóttir|Árni Magnússon|Þorsteinn Jónsson|"
        "Ásdís Ýr|Róbert Örn"
    ),
    "Czech": (
        "Antonín Dvořák|Božena Němcová|Jiří Novák|Šárka Čermáková|"
        "Kateřina Dušková|Zdeněk Fořt|Lukáš Kříž|Tomáš Růžička|"
        "Markéta Součková|Jaroslav Seifert|Ondřej Žižka|Václav Klíč|"
        "Lenka Vaňková|Petr Kučera|Eliška Pokorná|Řehoř Šťastný|"
        "Jan Ťulák|Hana Blažková|Bedřich Smetana|Ludmila Hůlková"
    ),
    "Slovak": (
        "Ľudovít Štúr|Ján Kollár|Zuzana Čaputová|Mária Ďurišová|"
        "Štefan Bačík|Katarína Hňúpová|Peter Šťastný|Jozef Kráľ|"
        "Ľubica Mäsiarová|Ružena Tóthová"
    ),
    "Polish": (
        "Łukasz Wójcik|Małgorzata Dąbrowska|Zofia Wiśniewska|Grażyna Żółć|"
        "Agnieszka Zając|Stanisław Wróbel|Paweł Król|Michał Jabłoński|"
        "Elżbieta Święcicka|Józef Piłsudski|Krzysztof Gałązka|Święty Mikołaj|"
        "Żaneta Łęcka|Władysław Kąkol|Bożena Pająk|Kazimierz Woźniak|"
        "Łucja Ćwik|Zbigniew Kozioł|Rafał Górski|Jędrzej Śniadecki"
    ),
    "Hungarian": (
        "Kovács Jenő|Szűcs Éva|Nagy Gergő|Erdős Pál|"
        "Tóth László|Szabó Zsófia|Győri Márton|Horváth Ágnes|"
        "Kőszegi Ödön|Fűzi Katalin|Török Bálint|Bíró Géza|"
        "Dávid Réka|Gyöngyösi István|Lőrincz Anikó|Hegedűs Imre|"
        "Ördögh Péter|Simó Tünde|Müller Ferenc|Csőke Dezső"
    ),
    "Romanian": (
        "Ştefan Popescu|Ioana Mănescu|Răzvan Ţurcanu|Brânduşa Câmpeanu|"
        "Cătălin Pârvu|Mădălina Bădescu|Ionuţ Sârbu|Ruxandra Ţepeş|"
        "Vlăduţ Grigoraş|Iuliana Moţ"
    ),
    "Croatian": (
        "Željko Šarić|Đorđe Čavić|Nikolina Ćosić|Dražen Petrović|"
        "Slađana Milošević|Jovan Đoković|Tomislav Štimac|Vesna Kovačević|"
        "Goran Ivanišević|Žarko Lukić|Marko Bašić|Saša Grčić"
    ),
    "Turkish": (
        "Ayşe Yılmaz|Gökhan Çağlar|İsmail Öztürk|Şükrü Işık|"
        "Tuğba Şahin|Gülşen Çelik|Oğuz Kılıç|Özlem Güneş|"
        "Çiğdem Yıldız|Hüseyin Doğan|Işıl Koç|Uğur Aydın|"
        "Ümit Özdağ|Nazlı Taş|Barış Dönmez"
    ),
    "Latvian": (
        "Jānis Bērziņš|Līga Ozoliņa|Kārlis Kalniņš|Ģirts Ķēniņš|Mārtiņš Zariņš|Inguna Ļaudaka"
    ),
    "Lithuanian": (
        "Rūta Šimkutė|Žydrūnas Savickas|Dalia Grybauskaitė|Algirdas Čekuolis|"
        "Živilė Račaitė|Mindaugas Žukas|Eglė Jurgaitytė|Šarūnas Marčiulionis|"
        "Danutė Bagdonavičienė"
    ),
    "Estonian": ("Jüri Mägi|Tõnu Põld|Õnne Pärn|Ülle Kõiv|Märt Avandi|Jõgi Tiit"),
    "Finnish": (
        "Väinö Mäkinen|Päivi Hämäläinen|Seppo Räikkönen|Yrjö Könönen|Öystilä Erkki|Sirkka Mäki"
    ),
    "Russian": (
        "Анна Петрова|Иван Сидоров|Ольга Кузнецова|Фёдор Достоевский|"
        "Наталья Щукина|Юрий Гагарин|Хохлов Эдуард|Ксения Яковлева|"
        "Цветаева Марина|Жанна Чехова"
    ),
    "Ukrainian": (
        "Тарас Шевченко|Іван Франко|Олексій Їжакевич|Євген Коновалець|Ганна Ґудзь|Наталія Зінченко"
    ),
    "Greek": (
        "Γιώργος Παπαδόπουλος|Μαρία Νικολάου|Κώστας Ιωάννου|Ελένη Δημητρίου|"
        "Άννα Χριστοδούλου|Όμηρος Ρήγας"
    ),
    "Hebrew": ("דוד כהן|שרה לוי|משה לוין|יעקב מזרחי|רחל אברהם"),
    "Arabic": ("محمد علي|فاطمة حسن|أحمد إبراهيم|خالد يوسف"),
    "Irish": (
        "Seán Ó Briain|Siobhán Ní Dhónaill|Pádraig Mac Cárthaigh|Áine Ó Súilleabháin|Éamon de Búrca"
    ),
    "Vietnamese": ("Nguyễn Văn An|Trần Thị Bích"),
    "Japanese": ("田中太郎|鈴木花子|佐藤健|高橋一郎"),
    "Chinese": ("王小明|李丽|张伟|陈静|刘洋"),
    "Korean": ("김철수|이영희|박민수|최지우"),
}

WRITTEN_IN = {
    "German": ("cp1252", "mac_roman", "cp850"),
    "French": ("cp1252", "mac_roman", "cp850"),
    "Spanish": ("cp1252", "mac_roman", "cp850"),
    "Portuguese": ("cp1252", "mac_roman", "cp850"),
    "Italian": ("cp1252", "mac_roman", "cp850"),
    "Swedish": ("cp1252", "mac_roman", "cp850"),
    "Danish": ("cp1252", "mac_roman", "cp850"),
    "Icelandic": ("cp1252", "cp850"),
    "Irish": ("cp1252", "mac_roman", "cp850"),
    "Estonian": ("cp1252", "cp1257", "iso8859_13"),
    "Finnish": ("cp1252", "mac_roman", "cp850"),
    "Czech": ("cp1250", "iso8859_2", "cp852", "mac_latin2"),
    "Slovak": ("cp1250", "iso8859_2", "cp852", "mac_latin2"),
    "Polish": ("cp1250", "iso8859_2", "cp852", "mac_latin2"),
    "Hungarian": ("cp1250", "iso8859_2", "cp852", "mac_latin2"),
    "Romanian": ("cp1250", "iso8859_2"),
    "Croatian": ("cp1250", "iso8859_2", "cp852", "mac_latin2"),
    "Turkish": ("cp1254", "cp857", "mac_turkish"),
    "Latvian": ("cp1257", "iso8859_13"),
    "Lithuanian": ("cp1257", "iso8859_13"),
    "Russian": ("cp1251", "koi8_r", "iso8859_5", "cp866", "mac_cyrillic"),
    "Ukrainian": ("cp1251", "koi8_u"),
    "Greek": ("cp1253", "iso8859_7", "cp737"),
    "Hebrew": ("cp1255",),
    "Arabic": ("cp1256",),
    "Vietnamese": ("cp1258",),
    "Japanese": ("shift_jis", "euc_jp"),
    "Chinese": ("gbk", "big5"),
    "Korean": ("euc_kr",),
}
