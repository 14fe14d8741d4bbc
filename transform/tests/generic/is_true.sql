{#- An expression holds in every row; null counts as a breach. -#}
{% test is_true(model, expression, column_name=none) %}

select *
from {{ model }}
where not coalesce({{ expression }}, false)

{% endtest %}
